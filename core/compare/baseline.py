"""Which item the others are measured against when nobody says: what is in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.compare.references import version_item
from core.compare.types import Item
from core.errors import ModelDeskError, NotFound

if TYPE_CHECKING:
    from core.experiments.types import RunTable
    from core.registry.types import ModelVersion
    from core.workspace import Workspace

_ONE_BY_ONE = 10  # of more models, the experiment's table costs less


def production_baseline(ws: Workspace, items: Sequence[Item]) -> tuple[Item, str] | str:
    """The production version of the model that ``items`` are about, with the reason; else why there is none.

    The model is the one that versions among the items belong to; for runs alone, the one whose production
    version was trained in their experiment. Several models or none: no default.
    """
    alias = ws.settings.environments.get("production")
    if alias is None or not ws.settings.tracking_uri:
        return "no production environment is configured"
    named = {item.model for item in items if item.model}
    if len(named) > 1:
        return "the references belong to several models"
    try:
        champions = ws.registry.aliased(alias)
        if named:
            candidates = [version for version in champions if version.model in named]
        else:
            candidates = _trained_beside(ws, champions, items)
        if len(candidates) != 1:
            return (
                "several models are trained in this experiment"
                if candidates
                else "no model of theirs is live"
            )
        live = candidates[0]
        ref = f"alias:{live.model}@{alias}"
        found = version_item(ws, live.model, live.version, live.run_id, ref)
        return found, f"{live.model} v{live.version} is in production"
    except ModelDeskError as error:
        return f"production could not be read: {error.what}"


def _trained_beside(
    ws: Workspace, champions: Sequence[ModelVersion], items: Sequence[Item]
) -> list[ModelVersion]:
    experiments = {item.experiment_id for item in items if item.run_id}
    if len(experiments) != 1:
        return []
    (experiment,) = experiments
    if experiment is None:
        return []
    sources = [version.run_id for version in champions if version.run_id]
    if len(sources) <= _ONE_BY_ONE:
        inside = {run_id for run_id in sources if _experiment(ws, run_id) == experiment}
    else:
        inside = _listed(ws.runs.search(experiment=experiment), sources)
    return [version for version in champions if version.run_id in inside]


def _listed(table: RunTable, run_ids: Sequence[str]) -> set[str]:
    """Those of a few ``run_ids`` that the table has, without a Python string for each of its runs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    listed = table.attributes["run_id"]
    return set(listed.filter(pc.is_in(listed, value_set=pa.array(run_ids, pa.string()))).to_pylist())


def _experiment(ws: Workspace, run_id: str) -> str | None:
    """The run's experiment; None for a run that is gone: its model is simply not a candidate."""
    try:
        return ws.runs.run(run_id).experiment_id
    except NotFound:
        return None
