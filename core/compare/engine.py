"""The whole comparison: references in, differences and verdicts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.compare.baseline import production_baseline
from core.compare.differences import differences
from core.compare.disagreement import Segment, disagreement
from core.compare.references import machine_apart, parse, resolve, told_apart
from core.compare.row_scores import Mismatch, pair
from core.compare.types import Comparison, Item
from core.compare.verdicts import verdicts
from core.compare.warnings import warnings
from core.errors import BadInput, ModelDeskError

if TYPE_CHECKING:
    import pandas as pd

    from core.workspace import Workspace

LIMIT = 500


def compare(ws: Workspace, refs: Sequence[str], baseline: str | None = None) -> Comparison:
    """Lay ``refs`` side by side and judge each against the baseline.

    The baseline is ``baseline``, else what is in production of the model concerned, else the first ref; when
    it is none of ``refs``, it comes before them in ``items``. Raises BadInput for a malformed or lone
    reference and for more than 500, NotFound for an unknown one.
    """
    if len(refs) > LIMIT:
        raise BadInput(f"{len(refs)} references were given.", f"At most {LIMIT} can be compared at once.")
    parsed = [parse(text) for text in dict.fromkeys(refs)]
    chosen = resolve(ws, parsed)
    items, index, reason = _with_baseline(ws, chosen, baseline)
    if len(items) < 2:
        raise BadInput(f"Only one thing to compare: {reason}.", "Name a second reference, or --baseline.")
    items = tuple(map(machine_apart, told_apart(items)))
    declared = ws.settings.metric_directions
    found = verdicts(items, index, declared, lambda item: row_scores(ws, item))
    return Comparison(
        items=items,
        baseline_index=index,
        baseline_reason=reason,
        differences=differences(items),
        verdicts=found,
        warnings=warnings(items, found),
    )


def _with_baseline(
    ws: Workspace, chosen: tuple[Item, ...], baseline: str | None
) -> tuple[tuple[Item, ...], int, str]:
    if baseline is not None:
        wanted, reason = resolve(ws, [parse(baseline)])[0], "chosen"
    else:
        found = production_baseline(ws, chosen)
        if isinstance(found, str):
            return chosen, 0, f"the first reference, since {found}"
        wanted, reason = found
    for index, item in enumerate(chosen):
        if item.ref == wanted.ref or (item.run_id and item.run_id == wanted.run_id):
            return chosen, index, reason
    return (wanted, *chosen), 0, reason


def row_scores(ws: Workspace, item: Item) -> pd.DataFrame | None:
    """The item's test rows; unreadable ones count as absent, the verdict's reason says that they lack."""
    if item.run_id is None:
        return None
    try:
        return ws.runs.row_scores(item.run_id)
    except ModelDeskError:
        return None


def disagreements(ws: Workspace, baseline: Item, candidate: Item) -> tuple[Segment, ...] | str:
    """Segments of the test rows in which the two disagree, or why they cannot be laid side by side."""
    first, second = row_scores(ws, baseline), row_scores(ws, candidate)
    if first is None or second is None:
        return "No per-row test scores were logged for both, so rows cannot be compared."
    paired = pair(first, second)
    return f"Not comparable: {paired.reason}." if isinstance(paired, Mismatch) else disagreement(paired)
