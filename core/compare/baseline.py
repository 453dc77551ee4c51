"""Which item the others are measured against when nobody says: what is in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.compare.references import version_item
from core.compare.types import Item
from core.errors import ModelDeskError, NotFound

if TYPE_CHECKING:
    from core.registry.types import Model
    from core.workspace import Workspace

_ONE_BY_ONE = 10  # beyond as many models, two reads of whole tables cost less


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
        serving = [model for model in ws.registry.models() if alias in model.aliases]
        if named:
            candidates = [model for model in serving if model.name in named]
        else:
            candidates = _trained_beside(ws, serving, alias, items)
        if len(candidates) != 1:
            return (
                "several models are trained in this experiment"
                if candidates
                else "no model of theirs is live"
            )
        model = candidates[0]
        number = model.aliases[alias]
        ref = f"alias:{model.name}@{alias}"
        run_id = ws.registry.version(model.name, number).run_id
        return version_item(ws, model.name, number, run_id, ref), f"{model.name} v{number} is in production"
    except ModelDeskError as error:
        return f"production could not be read: {error.what}"


def _trained_beside(
    ws: Workspace, serving: Sequence[Model], alias: str, items: Sequence[Item]
) -> list[Model]:
    experiments = {item.experiment_id for item in items if item.run_id}
    if len(experiments) != 1:
        return []
    (experiment,) = experiments
    if experiment is None:
        return []
    champions = {(model.name, model.aliases[alias]): model for model in serving}
    if len(champions) <= _ONE_BY_ONE:
        sources = {key: ws.registry.version(*key).run_id for key in champions}
        inside = {run_id for run_id in sources.values() if run_id and _experiment(ws, run_id) == experiment}
    else:
        sources = {
            (version.model, version.version): version.run_id
            for version in ws.registry.versions()
            if (version.model, version.version) in champions
        }
        inside = set(sources.values()) & set(ws.runs.search(experiment=experiment).run_ids)
    return [model for key, model in champions.items() if sources.get(key) in inside]


def _experiment(ws: Workspace, run_id: str) -> str | None:
    """The run's experiment; None for a run that is gone: its model is simply not a candidate."""
    try:
        return ws.runs.run(run_id).experiment_id
    except NotFound:
        return None
