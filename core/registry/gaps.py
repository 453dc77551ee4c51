"""What a live version lacks: an approval behind it, and a lineage that names code and data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.ledger.state import Service
    from core.workspace import Workspace

APPROVED = "approved"


def live_gaps(ws: Workspace, live: Mapping[str, tuple[int, Service | None]]) -> dict[str, tuple[str, ...]]:
    """Per model what its live version lacks. ``live`` is model -> version and, when one is known, its decision."""
    from core.registry.catalogue import runs_of

    run_ids = {model: _run_id(ws, model, version) for model, (version, _) in live.items()}
    runs = runs_of(ws, {run_id for run_id in run_ids.values() if run_id})
    found = {}
    for model, (_, service) in live.items():
        run = runs.get(run_ids[model] or "")
        gaps = [] if service and service.basis == APPROVED else ["approval"]
        if run is None or not (run.git_commit and run.data_hash):
            gaps.append("lineage")
        found[model] = tuple(gaps)
    return found


def _run_id(ws: Workspace, model: str, version: int) -> str | None:
    try:
        return ws.registry.version(model, version).run_id
    except ModelDeskError:
        return None
