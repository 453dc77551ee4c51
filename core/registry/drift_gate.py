"""Gates on drift: is a candidate made of, and for, patients like those that the live model meets?

``training-data`` compares what the candidate was trained on with what the live version was trained on (where that
is not at hand, with the monitor's reference); ``live-traffic`` compares it with the last window of the prediction
log; ``monitor`` repeats what the monitor says of the live version. The workspace's drift policy says what drift is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.errors import ModelDeskError, NotFound
from core.privacy import small_count

if TYPE_CHECKING:
    from core.compare.types import Item
    from core.drift.policy import Policy
    from core.drift.sources import Source
    from core.drift.watched import Watched
    from core.workspace import Workspace

Said = tuple[str, str]
"""PASS, FAIL or INCONCLUSIVE, and the sentence for it."""
NAMES = {
    "training-data": "drift of training data",
    "live-traffic": "drift of live traffic",
    "monitor": "monitor of the live version",
}
"""What the gates of a tier's ``drift`` are called."""
_OUTCOMES = {"OK": "PASS", "DRIFT": "FAIL", "DEGRADED": "FAIL"}


def drift_verdict(ws: Workspace, kind: str, candidate: Item, champion: Item | str) -> Said:
    """The outcome of one kind of ``NAMES``; what cannot be read or compared is INCONCLUSIVE and says why."""
    model = candidate.model or (None if isinstance(champion, str) else champion.model)
    if model is None:
        return "INCONCLUSIVE", "which model it is for is not known"
    try:
        if kind == "monitor":
            return _monitor(ws, model)
        trained = _trained_on(ws, candidate, "the candidate")
        if kind == "live-traffic":
            return _against_traffic(ws, model, trained)
        return _against_live_data(ws, model, trained, candidate, champion)
    except ModelDeskError as error:
        return "INCONCLUSIVE", error.what.rstrip(".")


def _monitor(ws: Workspace, model: str) -> Said:
    from core.drift.monitor import monitor_report

    report = monitor_report(ws, model)
    seen = f" in {report.window}" if report.window else ""
    return _OUTCOMES.get(report.status, "INCONCLUSIVE"), f"{report.status}{seen}: {report.reason}"


def _against_traffic(ws: Workspace, model: str, trained: Source) -> Said:
    from core.drift.sources import Slice
    from core.drift.watched import open_watched

    watched = open_watched(ws, model)
    window = watched.window(now=ws.ledger.now())
    asked = Slice(watched.log, window.indices)
    return _compared(ws, trained, asked, watched.policy, f"the requests of {window.name}")


def _against_live_data(
    ws: Workspace, model: str, trained: Source, candidate: Item, champion: Item | str
) -> Said:
    from core.drift.watched import workspace_policy

    watched = _watched(ws, model)
    policy = watched.policy if watched else workspace_policy(ws)
    if isinstance(champion, str):
        lacking = champion
    else:
        name = f"the data of v{champion.version}"
        if champion.data_hash == candidate.data_hash:
            return "PASS", f"trained on {name}"
        try:
            live = _trained_on(ws, champion, f"v{champion.version}")
            return _compared(ws, live, trained, policy, name)
        except NotFound as error:
            lacking = error.what.rstrip(".")
    if watched is None:
        return "INCONCLUSIVE", f"{lacking}, and no monitor has a reference"
    return _compared(ws, watched.reference, trained, policy, "the monitor's reference")


def _watched(ws: Workspace, model: str) -> Watched | None:
    from core.drift.watched import monitored, open_watched

    return open_watched(ws, model) if model in monitored(ws) else None


def _trained_on(ws: Workspace, item: Item, name: str) -> Source:
    """The data that the run names by its hash, from a DVC cache. Raises NotFound and BadInput."""
    from core.drift.references import stored_by_dvc
    from core.drift.sources import open_source

    digest = item.data_hash or ""
    if not re.fullmatch(r"[0-9a-f]{8,64}(\.dir)?", digest):
        raise NotFound(f"{name} does not name its training data by a hash")
    return open_source(stored_by_dvc(ws, digest))


def _compared(ws: Workspace, reference: Source, current: Source, policy: Policy, name: str) -> Said:
    from core.drift.cache import ProfileCache
    from core.drift.check import check

    report = check(reference, current, policy, cache=ProfileCache(ws.root / ".modeldesk" / "profiles"))
    rows = f"{small_count(report.rows_reference)} and {small_count(report.rows_current)}"
    return _OUTCOMES.get(report.verdict, "INCONCLUSIVE"), f"against {name}: {report.reason} ({rows} rows)"
