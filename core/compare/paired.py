"""Estimates from paired test rows: one per logged metric that the rows can give."""

from __future__ import annotations

from collections.abc import Iterable

from core.compare import bca
from core.compare.delong import delong
from core.compare.mcnemar import discordant, mcnemar
from core.compare.resampling import Resampled, resample
from core.compare.row_scores import PairedScores
from core.compare.types import Estimate
from core.privacy import SMALLEST

RESAMPLES = 2_000
LEVEL = 0.95
SEED = 20_231_117


def estimates(
    scores: PairedScores, statistics: Iterable[str], *, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, tuple[Estimate, Resampled]]:
    """For each statistic of :func:`core.compare.row_scores.row_metric` its estimate and both raw values.

    The interval is BCa at 95 %. The p-value is McNemar's mid-p for the accuracy, DeLong's for the AUC, and
    the BCa interval's own inversion for all others. Statistics that need both classes are left out when a
    class has fewer than 11 rows.
    """
    wanted = sorted(set(statistics))
    if scores.binary and min(int((scores.label == kind).sum()) for kind in (0, 1)) < SMALLEST:
        wanted = [name for name in wanted if name in ("accuracy", "brier", "log_loss")]
    drawn = resample(scores, wanted, resamples, seed)
    return {
        name: (_estimate(name, scores, sample), sample)
        for name, sample in drawn.items()
        if len(sample.replicates) >= resamples / 2
    }


def _estimate(name: str, scores: PairedScores, sample: Resampled) -> Estimate:
    accel = bca.acceleration(sample.jackknife, sample.weights)
    low, high = bca.interval(sample.difference, sample.replicates, accel, LEVEL)
    method = "paired bootstrap (BCa)"
    if name == "accuracy":
        counts = discordant(scores.label, scores.first_prediction, scores.second_prediction)
        p_value, method = mcnemar(*counts).mid_p, f"{method}; McNemar mid-p"
    elif name == "auroc" and scores.first_score is not None and scores.second_score is not None:
        p_value = delong(scores.label, scores.first_score, scores.second_score).p_value
        method = f"{method}; DeLong"
    else:
        p_value = bca.p_value(sample.difference, sample.replicates, accel)
    return Estimate(
        difference=sample.difference, low=low, high=high, p_value=p_value, n=scores.n, method=method
    )
