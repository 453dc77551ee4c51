"""Corrections for asking many columns at once."""

from __future__ import annotations

import numpy as np

SOURCE = "Benjamini and Hochberg 1995; Bonferroni 1936"


def benjamini_hochberg(pvalues: np.ndarray) -> np.ndarray:
    """Adjusted p-values: calling those under alpha keeps the share of false calls under alpha."""
    p = np.asarray(pvalues, dtype=np.float64)
    count = len(p)
    order = np.argsort(p)[::-1]
    scaled = p[order] * count / np.arange(count, 0, -1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0) if count else scaled
    return adjusted


def bonferroni(pvalues: np.ndarray) -> np.ndarray:
    """Adjusted p-values: calling those under alpha keeps any false call under alpha."""
    p = np.asarray(pvalues, dtype=np.float64)
    return np.minimum(p * len(p), 1.0)
