"""Metrics and params of one or many revisions side by side, wherever the files are: git, workspace, cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.pipeline.checks import cache_of, stored_path
from core.pipeline.grammar import DEFAULT_PARAMS
from core.pipeline.read import read_units
from core.pipeline.reads import Reads
from core.pipeline.sources import DIRECTORY, Source, open_sources
from core.pipeline.types import Finding, Hash, Out, Severity
from core.pipeline.units import Unit, read_plan
from core.pipeline.values import ValuesFault, flatten, parse_values, pick

MAX_CACHED_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a ``revision`` (None: the working tree) whose content is only in DVC's storage."""

    path: str
    hash: Hash | None
    size: int | None
    revision: str | None = None

    @property
    def way_out(self) -> str:
        """What the user can run: into the working tree, or for an older revision into the cache."""
        return f"dvc pull {self.path}" if self.revision is None else f"dvc fetch --all-commits {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Values of one revision by file, then by dotted key.

    ``revision`` is as asked for (None: the working tree), ``commit`` what it meant. ``stored`` files could not
    be read here.
    """

    revision: str | None
    commit: str | None
    values: Mapping[str, Mapping[str, Any]]
    stored: tuple[Stored, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One key across revisions, None where absent; ``delta`` is last minus first for two numbers."""

    file: str
    key: str
    values: tuple[Any, ...]
    delta: float | None


def read_metrics(project: Path, revisions: Sequence[str | None] = (None,)) -> tuple[Measures, ...]:
    """The metrics (numbers and texts; lists are left out) of each revision, in the given order.

    Raises NotFound for a revision or project that does not exist; unreadable files are findings.
    """
    with open_sources(project) as sources:
        cache = cache_of(project)
        return tuple(_metrics(sources.at(revision), revision, cache) for revision in revisions)


def read_params(project: Path, revisions: Sequence[str | None] = (None,)) -> tuple[Measures, ...]:
    """The parameters that stages depend on, and those of params.yaml and the ``params`` sections."""
    with open_sources(project) as sources:
        return tuple(_params(sources.at(revision), revision) for revision in revisions)


def differences(measures: Sequence[Measures]) -> tuple[Difference, ...]:
    """Keys whose value is not the same in every revision, by file and key."""
    found = []
    names = dict.fromkeys(
        (file, key) for one in measures for file, keys in one.values.items() for key in keys
    )
    for file, key in names:
        values = tuple(one.values.get(file, {}).get(key) for one in measures)
        if any(value != values[0] or type(value) is not type(values[0]) for value in values[1:]):
            found.append(Difference(file, key, values, _delta(values[0], values[-1])))
    return tuple(sorted(found, key=lambda difference: (difference.file, difference.key)))


def _delta(first: Any, last: Any) -> float | None:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (first, last))
    return last - first if numbers else None


def _metrics(source: Source, revision: str | None, cache: Path) -> Measures:
    plans, _ = read_units(source, read_plan)
    files = [out.path for unit in plans for stage in unit.stages for out in stage.metrics]
    files += [path for unit in plans for path in unit.metrics]
    reads, elsewhere = Reads(source), _Elsewhere(source, cache)
    values, stored, findings = {}, [], []
    for file in _files(source, dict.fromkeys(files)):
        try:
            found = reads.values(file)
            found = elsewhere.values(file) if found is None else found
        except ValuesFault as fault:
            found = fault
        if isinstance(found, ValuesFault):
            findings.append(Finding(file, found.line, found.message))
        elif isinstance(found, Stored):
            stored.append(found)
        elif found is None:
            findings.append(Finding(file, None, "the file is absent", Severity.WARNING))
        else:
            values[file] = _leaves(found)
    return Measures(
        revision=revision,
        commit=source.revision,
        values=values,
        stored=tuple(stored),
        findings=tuple(findings),
    )


class _Elsewhere:
    """Metrics files that a revision lacks: looked for in DVC's cache, by the hash in dvc.lock."""

    def __init__(self, source: Source, cache: Path) -> None:
        self._source = source
        self._cache = cache

    @cached_property
    def _outs(self) -> Mapping[str, Out]:
        units, _ = read_units(self._source)
        return {out.path: out for unit in units for stage in unit.stages for out in stage.outs}

    def values(self, file: str) -> Mapping[str, Any] | Stored | None:
        """The mapping, or where it is stored; None when DVC does not hold it. Raises ValuesFault."""
        out = self._outs.get(file)
        if out is None or out.hash is None or not out.cache:
            return None
        data = cached_bytes(self._cache, out.hash)
        return (
            Stored(file, out.hash, out.size, self._source.revision)
            if data is None
            else parse_values(file, data)
        )


def cached_bytes(cache: Path, wanted: Hash) -> bytes | None:
    """The content from the cache folder; None when it is not there, a directory, or larger than 4 MiB."""
    if wanted.is_directory:
        return None
    path = stored_path(cache, wanted)
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_CACHED_BYTES else None
    except OSError:
        return None


def _files(source: Source, files: Mapping[str, None]) -> Iterator[str]:
    for file in files:
        if source.identity(file) == DIRECTORY:
            yield from (f"{file}/{name}" for name in source.children(file))
        else:
            yield file


_LEAVES: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
_KEPT = 10_000


def _leaves(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Numbers and texts by dotted key; of a file that many revisions share (the same object) worked out once."""
    known = _LEAVES.get(id(values))
    if known is None or known[0] is not values:
        if len(_LEAVES) > _KEPT:
            _LEAVES.clear()
        kept = ((key, value) for key, value in flatten(values) if isinstance(value, int | float | str))
        known = _LEAVES[id(values)] = (values, dict(sorted(kept)))
    return known[1]


def _params(source: Source, revision: str | None) -> Measures:
    plans, _ = read_units(source, read_plan)
    reads = Reads(source)
    wanted = _wanted_params(plans, reads)
    values, findings = {}, []
    for file, keys in wanted.items():
        found = reads.values(file)
        if isinstance(found, ValuesFault):
            findings.append(Finding(file, found.line, found.message))
        elif found is not None:
            chosen = found if keys is None else pick(found, tuple(keys))
            values[file] = dict(sorted(flatten(chosen)))
    return Measures(revision=revision, commit=source.revision, values=values, findings=tuple(findings))


def _wanted_params(units: Sequence[Unit], reads: Reads) -> dict[str, dict[str, None] | None]:
    """Keys by file; None for a whole file, which params.yaml and the ``params`` sections always are."""
    whole = [path for unit in units for path in unit.params]
    if reads.exists(DEFAULT_PARAMS):
        whole.append(DEFAULT_PARAMS)
    wanted: dict[str, dict[str, None] | None] = dict.fromkeys(whole)
    for unit in units:
        for stage in unit.stages:
            for params in stage.params:
                if not params.keys:
                    wanted[params.file] = None
                elif (keys := wanted.setdefault(params.file, {})) is not None:
                    keys.update(dict.fromkeys(params.keys))
    return wanted
