"""Which hyperparameter mattered: rank correlation and a forest's permutation importance, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST = 20
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class ParamImportance:
    """One param: Spearman's rho over the runs that have it (None for words, which have no order, and under 20
    such runs) and the forest's share.

    ``forest`` is how much the held-out R² falls when the param is shuffled, and its standard deviation over
    folds; about 0 means the forest did without it.
    """

    param: str
    values: int
    rank_correlation: float | None
    forest: float
    forest_sd: float


@dataclass(frozen=True, slots=True)
class Importance:
    """Params by forest importance, most important first, with what limits the statement.

    ``hidden`` is the sentence to show in place of numbers; ``held_out_r2`` how well the forest explains runs
    that it has not seen.
    """

    n: int
    rows: tuple[ParamImportance, ...] = ()
    held_out_r2: float = math.nan
    hidden: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def caveat(self) -> str:
        """What these numbers do not say, in words."""
        weak = (
            f" The forest explains {max(self.held_out_r2, 0):.0%} of unseen runs: read its column with doubt."
            if self.held_out_r2 < 0.5
            else ""
        )
        return (
            f"Computed from {self.n} runs. Importance is association in these runs, not cause: params that "
            f"were changed together share or swap their credit, and one never varied cannot show.{weak}"
        )


def importance(
    params: Sequence[Mapping[str, object]], values: Sequence[float | None], seed: int = 0
) -> Importance:
    """Importance of each param for a metric over runs; runs without a finite value are left out.

    Hidden under 20 runs. A param with one value, or with a different word in nearly every run, is left out.
    """
    kept = [index for index, value in enumerate(values) if value is not None and math.isfinite(value)]
    if len(kept) < SMALLEST:
        return Importance(len(kept), hidden=f"Hidden: {len(kept)} runs have a value, {SMALLEST} are needed.")
    target = np.array([values[index] for index in kept], dtype=float)
    if np.ptp(target) == 0:
        return Importance(len(kept), hidden="Hidden: the metric has the same value in every run.")
    names = sorted(set().union(*(params[index] for index in kept)))
    columns = {name: _encode([params[index].get(name) for index in kept]) for name in names}
    used = {name: column for name, column in columns.items() if column is not None}
    left_out = tuple(name for name in names if name not in used)
    if not used:
        return Importance(len(kept), hidden="Hidden: every param has one value only.", left_out=left_out)
    drops, r2 = _forest(np.column_stack([codes for codes, _ in used.values()]), target, seed)
    rows = [
        ParamImportance(
            name, len(np.unique(codes)), _spearman(codes, target, ranked),
            float(drops[:, index].mean()), float(drops[:, index].std(ddof=1)),
        )
        for index, (name, (codes, ranked)) in enumerate(used.items())
    ]  # fmt: skip
    rows.sort(key=lambda row: -row.forest)
    return Importance(len(kept), tuple(rows), r2, left_out=left_out)


def _encode(column: Sequence[object]) -> tuple[np.ndarray, np.ndarray] | None:
    """A param as numbers, and in which runs their order means something; None when it says nothing.

    Missing becomes a value of its own: below all numbers, or a word.
    """
    texts = [None if value is None else str(value).strip() for value in column]
    distinct = set(texts)
    if len(distinct) < 2:
        return None
    numbers = [_number(text) for text in texts]
    known = [number for number in numbers if number is not None]
    if len(known) == sum(text is not None for text in texts):
        lowest = min(known) - 1
        codes = np.array([lowest if number is None else number for number in numbers])
        return codes, np.array([number is not None for number in numbers])
    if len(distinct) > len(texts) / 2:
        return None
    codes = {text: code for code, text in enumerate(sorted(distinct, key=lambda text: text or ""))}
    return np.array([float(codes[text]) for text in texts]), np.zeros(len(texts), dtype=bool)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _spearman(codes: np.ndarray, target: np.ndarray, ranked: np.ndarray) -> float | None:
    """Over the runs that have the param; None for words, for few runs, and where either is the same throughout."""
    from scipy.stats import spearmanr

    if ranked.sum() < SMALLEST or not (np.ptp(codes[ranked]) and np.ptp(target[ranked])):
        return None
    return float(spearmanr(codes[ranked], target[ranked]).statistic)


def _forest(features: np.ndarray, target: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
    """Falls of the held-out R² (folds x params), and the R² of all held-out predictions together."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    drops, predicted = [], np.empty_like(target)
    for fit, held_out in KFold(_FOLDS, shuffle=True, random_state=seed).split(features):
        forest = RandomForestRegressor(60, min_samples_leaf=2, random_state=seed).fit(
            features[fit], target[fit]
        )
        predicted[held_out] = forest.predict(features[held_out])
        result = permutation_importance(
            forest, features[held_out], target[held_out], scoring="neg_mean_squared_error",
            n_repeats=5, random_state=seed,
        )  # fmt: skip
        drops.append(result.importances_mean / target.var())
    residual = float(np.mean((target - predicted) ** 2))
    return np.array(drops), 1 - residual / float(target.var())
