"""The state of each stage without running DVC, and what DVC's own status leaves out.

Per stage the verdict is DVC's (deps, params, command, outs against dvc.lock). Beyond it: a stage downstream
of a changed one is *outdated upstream*, and where files are not looked at, a dep whose recorded hash is not
the one its producer recorded counts as changed: that holds at any revision, without data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from core.pipeline.checks import (
    Checker,
    CommitFiles,
    Content,
    WorkingFiles,
    cache_of,
    directory_listing,
)
from core.pipeline.discovery import parents
from core.pipeline.graph import neighbours, ordered
from core.pipeline.paths import is_url
from core.pipeline.sources import open_source
from core.pipeline.types import (
    Dep,
    DepKind,
    Hash,
    Out,
    ParamDep,
    Pipeline,
    Reason,
    ReasonKind,
    Stage,
    StageState,
    State,
)

_OUTDATES = {State.CHANGED, State.NEVER_RUN, State.OUTDATED_UPSTREAM}
_ABSENT = object()
_MISSING = ("deleted", "not in cache")


def stage_states(pipeline: Pipeline, checker: Checker | None = None) -> tuple[StageState, ...]:
    """One state per stage, in the pipeline's order.

    Without ``checker`` only small files are read (at a revision, those that git tracks): fit for a page.
    With the result of :func:`core.pipeline.checks.check_files` the verdicts are those of ``dvc status``.
    """
    if checker is not None:
        return _states(pipeline, checker)
    if pipeline.revision is None:
        return _states(pipeline, WorkingFiles(pipeline.root))
    with open_source(Path(pipeline.root), pipeline.revision) as source:
        outs = frozenset(out.path for stage in pipeline.stages for out in stage.outs)
        return _states(pipeline, CommitFiles(source, outs))


def _states(pipeline: Pipeline, checker: Checker) -> tuple[StageState, ...]:
    look = _Look(checker, pipeline)
    own = {stage.name: look.state(stage) for stage in pipeline.stages}
    upstream, _ = neighbours(pipeline.edges)
    frozen = {stage.name for stage in pipeline.stages if stage.frozen}
    for name in ordered(list(own), pipeline.edges):
        if name not in frozen:
            own[name] = _with_upstream(own[name], [own[before] for before in upstream.get(name, ())])
    return tuple(own[stage.name] for stage in pipeline.stages)


def _with_upstream(state: StageState, before: list[StageState]) -> StageState:
    outdated = [other.name for other in before if _outdates(other)]
    if not outdated:
        return state
    reasons = (*state.reasons, *(Reason(ReasonKind.UPSTREAM, name, "outdated") for name in outdated))
    kept = state.state in (State.CHANGED, State.NEVER_RUN, State.OUTPUT_MISSING)
    return StageState(state.name, state.state if kept else State.OUTDATED_UPSTREAM, reasons)


def _outdates(state: StageState) -> bool:
    only_always = all(reason.kind is ReasonKind.ALWAYS for reason in state.reasons)
    return state.state in _OUTDATES and not (only_always and state.state is State.CHANGED)


class _Look:
    """Looks at one stage after another with the same checker."""

    def __init__(self, checker: Checker, pipeline: Pipeline) -> None:
        self._checker = checker
        self._pipeline = pipeline
        self._produced = {out.path: (stage.name, out) for stage in pipeline.stages for out in stage.outs}
        self._at_commit = pipeline.revision is not None

    @cached_property
    def _cache(self) -> Path:
        return cache_of(self._pipeline.root)

    def state(self, stage: Stage) -> StageState:
        reasons = tuple(self._reasons(stage))
        return StageState(stage.name, _verdict(stage, reasons), reasons)

    def _reasons(self, stage: Stage) -> Iterator[Reason]:
        if not stage.frozen:
            for dep in stage.deps:
                yield from self._dep(stage, dep)
            for params in stage.params:
                yield from self._params(params)
        for out in stage.outs:
            yield from self._out(out)
        if stage.cmd and (stage.always_changed or not (stage.deps or stage.params or stage.outs)):
            yield Reason(ReasonKind.ALWAYS, "", "changed")
        if stage.has_lock and not stage.is_data and stage.lock_cmd != stage.cmd:
            yield Reason(ReasonKind.COMMAND, "", "changed")

    def _dep(self, stage: Stage, dep: Dep) -> Iterator[Reason]:
        if dep.kind is not DepKind.FILE:
            yield Reason(ReasonKind.FILES, dep.path, "not checked")
            return
        found = self._checker.content(dep.path, dep.hash, dep.size)
        if found is Content.MISSING:
            yield Reason(ReasonKind.DEP, dep.path, "deleted")
        elif found is Content.DIFFERENT:
            yield Reason(ReasonKind.DEP, dep.path, "modified")
        elif found is Content.UNKNOWN:
            yield from self._unseen(dep, stage)

    def _unseen(self, dep: Dep, stage: Stage) -> Iterator[Reason]:
        name, written = self._written(dep.path)
        same = dep.hash.same_as(written) if dep.hash else None
        if not stage.is_data and dep.hash is None:
            yield Reason(ReasonKind.DEP, dep.path, "modified")
        elif same is False:
            yield Reason(ReasonKind.PRODUCER, dep.path, f"is not what {name} wrote")
        elif not (self._at_commit and same):
            # At a commit the lock files are the data: equal hashes there are all that can be asked.
            yield Reason(ReasonKind.FILES, dep.path, "not checked")

    def _written(self, path: str) -> tuple[str, Hash | None]:
        """The stage that wrote ``path``, itself or as part of a directory, and the hash it recorded."""
        if path in self._produced:
            name, out = self._produced[path]
            return name, out.hash
        for folder in parents(path):
            if folder in self._produced:
                name, out = self._produced[folder]
                return name, self._inside(out, path[len(folder) + 1 :])
        return "", None

    def _inside(self, out: Out, relative: str) -> Hash | None:
        if out.files:
            return next((file.hash for file in out.files if file.path == relative), None)
        if out.hash is None or not out.hash.is_directory:
            return None
        return (directory_listing(self._cache, out.hash) or {}).get(relative)

    def _params(self, params: ParamDep) -> Iterator[Reason]:
        if params.current is None:
            if not (self._at_commit and params.file in self._produced):
                yield Reason(ReasonKind.PARAM, params.file, "deleted")
        elif params.locked is None:
            yield Reason(ReasonKind.PARAM, params.file, "new")
        else:
            for key, change in param_changes(params.current, params.locked, params.keys):
                yield Reason(ReasonKind.PARAM, f"{params.file}:{key}", change)

    def _out(self, out: Out) -> Iterator[Reason]:
        if out.cache and out.hash and self._checker.in_cache(out) is False:
            yield Reason(ReasonKind.OUT, out.path, "not in cache")
            return
        if is_url(out.path):
            yield Reason(ReasonKind.FILES, out.path, "not checked")
            return
        found = self._checker.content(out.path, out.hash, out.size)
        if found is Content.MISSING:
            yield Reason(ReasonKind.OUT, out.path, "deleted")
        elif found is Content.DIFFERENT:
            yield Reason(ReasonKind.OUT, out.path, "modified")
        elif found is Content.UNKNOWN and not self._at_commit:
            yield Reason(ReasonKind.FILES, out.path, "not checked")


def param_changes(
    current: Mapping[str, Any], locked: Mapping[str, Any], keys: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """(key, new / modified / deleted) for each parameter that is not as it was, compared as DVC does."""
    for key in keys or dict.fromkeys((*current, *locked)):
        now, then = current.get(key, _ABSENT), locked.get(key, _ABSENT)
        if now is _ABSENT:
            yield key, "deleted"
        elif then is _ABSENT:
            yield key, "new"
        elif now != then and not (isinstance(now, tuple) and list(now) == then):
            yield key, "modified"


def _verdict(stage: Stage, reasons: tuple[Reason, ...]) -> State:
    if not stage.has_lock and not stage.is_data:
        return State.NEVER_RUN
    real = [reason for reason in reasons if reason.kind is not ReasonKind.FILES]
    if any(reason.change not in _MISSING or reason.kind is ReasonKind.PARAM for reason in real):
        return State.CHANGED
    if real:
        return State.OUTPUT_MISSING
    return State.NOT_CHECKED if reasons else State.UP_TO_DATE
