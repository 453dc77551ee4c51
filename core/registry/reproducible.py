"""Is the candidate's lineage complete: can what trained it be checked out again, code, params and data?

The run is joined with its stage's execution in a DVC project, and some commit's dvc.lock must hold that very
execution: the digests of code and data, and the params. An execution that is only in the working tree is not
reproducible by anybody else. FAIL says that the evidence contradicts; where it is missing (no tag, no commit, no data
hash to tell executions apart) the answer is INCONCLUSIVE, which a named person may override.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import ModelDeskError

if TYPE_CHECKING:
    from core.workspace import Workspace


def lineage_verdict(ws: Workspace, run_id: str | None) -> tuple[str, str]:
    """PASS, FAIL or INCONCLUSIVE, and the sentence for it."""
    from core.lineage.dvc_history import read_project
    from core.lineage.match import match_run
    from core.lineage.types import Strength

    if run_id is None:
        return "INCONCLUSIVE", "the version has no source run"
    try:
        run = ws.runs.run(run_id)
        projects = [read_project(ws.settings.path(path), str(path)) for path in ws.settings.dvc.projects]
    except ModelDeskError as error:
        return "INCONCLUSIVE", f"the lineage cannot be read: {error.what}"
    lacking = [
        name for name, value in (("training data", run.data_hash), ("code", run.git_commit)) if not value
    ]
    match = match_run(run, [project for project in projects if project is not None])
    if match is None:
        said = f"; it does not name its {' and '.join(lacking)}" if lacking else ""
        return "INCONCLUSIVE", f"no DVC stage of this workspace is known to have made the run{said}"
    stage = match.record.address
    if match.strength < Strength.STRONG:
        return "INCONCLUSIVE", f"{stage} may have made the run ({match.note}), which is not certain"
    if not match.record.commits:
        return "FAIL", f"{stage} ran on code, params or data that no commit's dvc.lock holds"
    if run.data_hash and run.data_hash not in {item.digest for item in match.record.deps}:
        return "FAIL", f"the run's training data is none of what dvc.lock records for {stage}"
    first = (match.record.introduced or sorted(match.record.commits))[0]
    return "PASS", f"{stage} as committed in {first[:7]}: code, params and data by their digests"
