"""How much a model uses each column: permutation importance, of itself or of a surrogate that repeats its scores.

The model itself is asked by served_model.py, where that is safe. Where the log holds no score either, the surrogate
learns the labels of the reference instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.drift.coding import coded_table, even_rows, one_thread
from core.drift.sources import Source

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "permutation importance: Breiman 2001; on a surrogate as in Molnar 2022, chapter 'Global Surrogate'"
MIN_FIDELITY = 0.3
"""A surrogate that explains less than this share of the held-out variance says nothing about the model."""
_ROWS, _MIN_ROWS, _REPEATS = 4_000, 300, 3


@dataclass(frozen=True, slots=True)
class Importance:
    """Shares per column (they sum to 1), whose they are, and how well that repeats the model.

    ``fidelity`` is R squared on held-out rows; None for the model itself. ``why_not`` says why it was not asked.
    """

    shares: Mapping[str, float]
    of: str
    fidelity: float | None = None
    why_not: str = ""

    @property
    def sentence(self) -> str:
        """Whose importance it is, for people."""
        if self.fidelity is None:
            return f"Importance is that of {self.of}: how far its answers move when a column is shuffled."
        instead = f" ({self.why_not})" if self.why_not else ""
        return (
            f"Importance comes from {self.of}, which repeats {self.fidelity:.0%} of their variance{instead}."
        )


def permuted_change(
    ask: Callable[[pd.DataFrame], Any], rows: pd.DataFrame, seed: int = 0
) -> dict[str, float]:
    """How far a model's answers move on average when each column of ``rows`` is shuffled; not scaled.

    ``ask`` gives one answer a row: numbers (their squared difference counts) or classes (how often they differ).
    """
    rng = np.random.default_rng(seed)
    before, found = np.asarray(ask(rows)), {}
    for name in rows:
        moved = 0.0
        for _ in range(_REPEATS):
            mixed = rows.assign(**{name: rows[name].to_numpy()[rng.permutation(len(rows))]})
            mixed[name] = mixed[name].astype(rows[name].dtype)
            now = np.asarray(ask(mixed))
            moved += float(
                ((now - before) ** 2).mean() if before.dtype.kind == "f" else (now != before).mean()
            )
        found[str(name)] = moved / _REPEATS
    return found


def surrogate_importance(
    source: Source, rows: np.ndarray, features: Sequence[str], target: str, of: str, seed: int = 0
) -> Importance | None:
    """The importance of ``features`` for ``target`` among ``rows`` of the source.

    None with fewer than 300 rows, or where the surrogate does not repeat the target well enough.
    """
    if not features:
        return None
    rows = rows[even_rows(len(rows), _ROWS)]
    goal = coded_table([(source, rows)], [target])[:, 0]
    known = np.isfinite(goal)
    if known.sum() < _MIN_ROWS:
        return None
    table = coded_table([(source, rows[known])], features)
    with one_thread():
        return _permuted(table, goal[known], features, of, seed)


def _permuted(
    table: np.ndarray, goal: np.ndarray, features: Sequence[str], of: str, seed: int
) -> Importance | None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(goal))
    held, rest = order[: len(goal) // 3], order[len(goal) // 3 :]
    model = HistGradientBoostingRegressor(max_iter=100, random_state=seed).fit(table[rest], goal[rest])
    base = float(((model.predict(table[held]) - goal[held]) ** 2).mean())
    spread = float(goal[held].var())
    fidelity = 1 - base / spread if spread > 0 else 0.0
    if fidelity < MIN_FIDELITY:
        return None
    losses = np.zeros(len(features))
    for place in range(len(features)):
        for _ in range(_REPEATS):
            mixed = table[held].copy()
            mixed[:, place] = rng.permutation(mixed[:, place])
            losses[place] += float(((model.predict(mixed) - goal[held]) ** 2).mean()) - base
    losses = np.maximum(losses, 0)
    if losses.sum() == 0:
        return None
    shares = dict(zip(features, (losses / losses.sum()).tolist(), strict=True))
    return Importance(shares, of, fidelity)
