"""From anything a person has at hand to the versions it means; and the best version for some data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.compare.directions import direction
from core.compare.types import Direction
from core.errors import BadInput, NotFound
from core.registry.catalogue import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A version and why it was found; ``live_in`` are the environments that it serves in now."""

    entry: Entry
    because: str
    live_in: tuple[str, ...] = ()
    value: float | None = None


def find(ws: Workspace, text: str) -> tuple[Found, ...]:
    """Versions that ``text`` means: a request's id, a model, a version, an alias, the beginning of a run id, git
    commit, data hash or content hash. Raises NotFound with what can be looked for."""
    wanted = text.strip()
    if not wanted:
        raise BadInput("There is nothing to look for.", "Give a model, version, run id, commit or hash.")
    request = ws.ledger.state().requests.get(wanted)
    if request is not None:
        opened = request.opened
        matching = [
            (one, f"request {wanted}")
            for one in entries(ws, opened.model)
            if one.version.version == opened.version
        ]
    else:
        matching = [(one, why) for one in entries(ws) if (why := _why(one, wanted))]
    if not matching:
        raise NotFound(
            f"Nothing is called '{wanted}'.",
            "Known are models, MODEL/N, aliases, request ids, and three or more characters of a run id, git commit, "
            "data hash or content hash.",
        )
    return tuple(Found(entry=one, because=why, live_in=_live(ws, one)) for one, why in matching)


def best(
    ws: Workspace,
    metric: str,
    model: str | None = None,
    data: str | None = None,
    experiment: str | None = None,
) -> tuple[Found, ...]:
    """Versions by ``metric``, the best first: of a model, of one data set (name or hash), of one experiment.

    Raises NotFound when no version has the metric, BadInput when nobody said which way it improves.
    """
    towards = direction(metric, ws.settings.metric_directions)
    if towards is Direction.UNKNOWN:
        raise BadInput(
            f"Which way {metric} improves is not known.",
            "Declare it under [metric_directions] in modeldesk.toml.",
        )
    able = [
        one
        for one in _of(entries(ws, model), data, experiment)
        if math.isfinite(one.metrics.get(metric, math.nan))
    ]
    if not able:
        raise NotFound(f"No such version has {metric}.", "`find MODEL` shows what there is.")
    ranked = sorted(able, key=lambda one: one.metrics[metric], reverse=towards is Direction.HIGHER)
    return tuple(
        Found(entry=one, because=f"{metric} of its run", live_in=_live(ws, one), value=one.metrics[metric])
        for one in ranked
    )


def _of(found: Iterable[Entry], data: str | None, experiment: str | None) -> Iterable[Entry]:
    for one in found:
        if data and not (one.run and _trained_on(one, data)):
            continue
        if experiment and not (one.run and experiment in (one.run.experiment, one.run.experiment_id)):
            continue
        yield one


def _trained_on(entry: Entry, data: str) -> bool:
    run = entry.run
    assert run is not None
    hashes = [run.data_hash or "", *(item.digest for item in run.datasets)]
    return any(item.name == data for item in run.datasets) or (
        len(data) >= 4 and any(digest.startswith(data) for digest in hashes)
    )


def _why(entry: Entry, wanted: str) -> str:
    version, run, low = entry.version, entry.run, wanted.casefold()
    if low == version.model.casefold():
        return "model"
    if low == version.name.casefold():
        return "version"
    if wanted in version.aliases:
        return f"alias {wanted}"
    if len(wanted) < 3:
        return ""
    hashes = {
        "run id": version.run_id,
        "git commit": (run.git_commit if run else None) or version.tags.get("git.commit"),
        "data hash": (run.data_hash if run else None) or version.tags.get("data.hash"),
        "content hash": version.tags.get("modeldesk.sha256"),
    }
    return next((name for name, value in hashes.items() if (value or "").startswith(low)), "")


def _live(ws: Workspace, entry: Entry) -> tuple[str, ...]:
    state, version = ws.ledger.state(), entry.version
    aliases = ws.settings.environments.items()
    recorded = {place: state.live(version.model, place) for place, _ in aliases}
    return tuple(
        place
        for place, alias in aliases
        if (recorded[place].version == version.version if recorded[place] else alias in version.aliases)
    )
