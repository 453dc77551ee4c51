"""One dvc.yaml with its dvc.lock, or one .dvc file, read as a unit and reused while its inputs are unchanged."""

from __future__ import annotations

import hashlib
import posixpath
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock as ThreadLock
from typing import Any

from core.pipeline.config import read_config
from core.pipeline.dotdvc import read_data_file
from core.pipeline.grammar import DEFAULT_PARAMS, Place, build_stage
from core.pipeline.lockfile import Lock, parse_lock
from core.pipeline.paths import project_path
from core.pipeline.reads import Reads, unchanged
from core.pipeline.schema import artifact_faults, plot_faults, stage_faults
from core.pipeline.sources import Source, SourceFault
from core.pipeline.templating import TemplateFault, Templates, generator_fault
from core.pipeline.types import Artifact, Finding, PlotSpec, Severity, Stage
from core.pipeline.values import ValuesFault
from core.pipeline.yaml12 import Document, YamlFault, load

_TOP_KEYS = frozenset(["vars", "stages", "params", "metrics", "plots", "artifacts", "datasets"])
_KEPT_STAGES = 40_000
_KEPT_VARIANTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What one file defines, and the files that went into it; ``shape`` is equal where the graph of it is."""

    stages: tuple[Stage, ...] = ()
    findings: tuple[Finding, ...] = ()
    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    plots: tuple[PlotSpec, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    inputs: Mapping[str, Hashable | None]
    shape: bytes = b""


def read_unit(source: Source, file: str) -> Unit:
    """The unit of ``file``, from the cache when none of its inputs has changed."""
    lock = lock_path(file)
    identity = source.identity(lock) if lock else None
    return _cached(source, file, identity, lambda reads: _read(reads, file, lock, with_values=True))


def read_plan(source: Source, file: str) -> Unit:
    """What ``file`` defines, without hashes from dvc.lock or current parameters: stays valid over many commits."""
    return _cached(source, file, "plan", lambda reads: _read(reads, file, None, with_values=False))


def _cached(source: Source, file: str, variant: Hashable, read: Callable[[Reads], Unit]) -> Unit:
    key = (source.scope, str(source.root), file, source.identity(file), variant)
    for unit in _CACHE.get(key):
        if unchanged(source, unit.inputs):
            return unit
    unit = read(Reads(source))
    unit = replace(unit, shape=_shape(unit.stages))
    _CACHE.put(key, unit)
    return unit


def _shape(stages: Sequence[Stage]) -> bytes:
    """A digest of all that the graph between stages, and what is said about it, is made from."""
    told = [
        (
            stage.name,
            stage.key,
            stage.file,
            stage.line,
            [(dep.path, dep.kind.value) for dep in stage.deps],
            [out.path for out in stage.outs],
        )
        for stage in stages
    ]
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).digest()


def _read(reads: Reads, file: str, lock: str | None, *, with_values: bool) -> Unit:
    if file.endswith(".dvc"):
        return _read_data(reads, file)
    return _Reader(reads, file, lock, reads if with_values else None).unit()


def lock_path(file: str) -> str | None:
    """The dvc.lock beside a dvc.yaml; None for a .dvc file, which is its own lock."""
    return None if file.endswith(".dvc") else posixpath.splitext(file)[0] + ".lock"


def _read_data(reads: Reads, file: str) -> Unit:
    try:
        data = reads.read(file)
    except (SourceFault, FileNotFoundError) as fault:
        return Unit(findings=(Finding(file, None, str(fault)),), inputs=reads.inputs)
    stage, findings = read_data_file(str(reads.source.root), file, data)
    return Unit(stages=(stage,) if stage else (), findings=findings, inputs=reads.inputs)


class _Reader:
    """Reads one dvc.yaml; every fault becomes a finding with its line."""

    def __init__(self, reads: Reads, file: str, lock_file: str | None, values: Reads | None) -> None:
        self._reads = reads
        self._values = values
        self._file = file
        self._folder = posixpath.dirname(file)
        self._root = str(reads.source.root)
        self._lock_file = lock_file
        self._findings: list[Finding] = []
        self._document = Document({}, {})

    def unit(self) -> Unit:
        self._document = self._load()
        body = self._document.value
        lock = self._lock()
        config = read_config(self._reads).get("parsing", {}) if "${" in repr(body) else {}
        templates = Templates(self._folder, body, self._reads, config)
        stages = tuple(self._stages(templates, lock))
        self._check_context(templates)
        return Unit(
            stages=stages,
            metrics=tuple(self._files("metrics", templates)),
            params=tuple(self._files("params", templates)),
            plots=tuple(self._plots(templates)),
            artifacts=tuple(self._artifacts(templates)),
            findings=tuple(dict.fromkeys((*self._findings, *lock.findings))),
            inputs=self._reads.inputs,
        )

    def _report(self, message: str, *path: str, severity: Severity = Severity.ERROR) -> None:
        lines = self._document.lines
        line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
        self._findings.append(Finding(self._file, line, message, severity))

    def _load(self) -> Document:
        try:
            document = load(self._reads.read(self._file), line_depth=3)
        except YamlFault as fault:
            self._findings.append(Finding(self._file, fault.line, fault.message))
            return Document({}, {})
        except (SourceFault, FileNotFoundError) as fault:
            self._findings.append(Finding(self._file, None, str(fault)))
            return Document({}, {})
        if document.value is None:
            return Document({}, {})
        if not isinstance(document.value, dict):
            self._findings.append(Finding(self._file, 1, "a mapping was expected"))
            return Document({}, {})
        self._document = document
        for key in document.value.keys() - _TOP_KEYS:
            self._report(f"unknown section '{key}'", str(key))
        if not isinstance(document.value.get("vars") or [], list):
            self._report("vars must be a list", "vars")
        return document

    def _check_context(self, templates: Templates) -> None:
        """DVC reads params.yaml and ``vars`` even where no stage uses them, and no stage where it cannot."""
        if self._document.value.get("vars") and (fault := templates.fault()):
            self._report(fault, "vars")
        if self._values is not None and self._document.value:
            values = self._values.values(posixpath.join(self._folder, DEFAULT_PARAMS))
            if isinstance(values, ValuesFault):
                self._report(f"{DEFAULT_PARAMS}: {values.message}")

    def _lock(self) -> Lock:
        if self._lock_file is None:
            return Lock({}, {})
        try:
            return parse_lock(self._lock_file, self._reads.read(self._lock_file))
        except FileNotFoundError:
            return Lock({}, {})
        except SourceFault as fault:
            return Lock({}, {}, (Finding(self._lock_file, None, str(fault)),))

    def _stages(self, templates: Templates, lock: Lock) -> Iterator[Stage]:
        section = self._document.value.get("stages", {})
        if not isinstance(section, dict):
            self._report("stages must be a mapping", "stages")
            return
        for name, definition in section.items():
            yield from self._stage(name, definition, templates, lock)

    def _stage(self, written: Any, definition: Any, templates: Templates, lock: Lock) -> Iterator[Stage]:
        name = str(written)
        where = ("stages", name)
        if "@" in name:
            self._report(
                f"stage '{name}': '@' may only stand in the names that foreach and matrix make", *where
            )
            return
        if not isinstance(definition, dict):
            self._report(f"stage '{name}': a mapping was expected", *where)
            return
        fault = generator_fault(definition)
        if fault is not None:
            self._report(f"stage '{name}': {fault}", *where)
            return
        for fault in stage_faults(written, definition):
            self._report(f"stage '{name}': {fault}", *where)
        place = Place(self._root, self._file, self._folder, self._document.lines.get(where))
        for entry in templates.entries(name, definition):
            if entry.fault is not None:
                self._report(f"stage '{entry.key}': {entry.fault}", *where)

            def report(message: str, key: str = entry.key) -> None:
                self._report(f"stage '{key}': {message}", *where)

            yield build_stage(
                place,
                entry.key,
                entry.group,
                entry.body,
                lock.stages.get(entry.key),
                self._values,
                report,
                resolved=entry.fault is None,
            )

    def _items(self, key: str) -> Iterator[Any]:
        section = self._document.value.get(key) or []
        if not isinstance(section, list):
            self._report(f"{key} must be a list", key)
            return
        yield from section

    def _files(self, key: str, templates: Templates) -> Iterator[str]:
        for item in self._items(key):
            if not isinstance(item, str):
                self._report(f"{key} must be a list of paths", key)
                continue
            try:
                yield project_path(self._root, self._folder, str(templates.resolve(item)))
            except TemplateFault as fault:
                self._report(str(fault), key)

    def _plots(self, templates: Templates) -> Iterator[PlotSpec]:
        for item in self._items("plots"):
            for fault in plot_faults(item):
                self._report(fault, "plots")
            try:
                resolved = templates.resolve(item)
            except TemplateFault as fault:
                self._report(str(fault), "plots")
                continue
            for name, options in (resolved if isinstance(resolved, dict) else {resolved: {}}).items():
                yield PlotSpec(str(name), self._file, options if isinstance(options, dict) else {})

    def _artifacts(self, templates: Templates) -> Iterator[Artifact]:
        section = self._document.value.get("artifacts") or {}
        if not isinstance(section, dict):
            self._report("artifacts must be a mapping", "artifacts")
            return
        for name, body in section.items():
            for fault in artifact_faults(body):
                self._report(f"artifact '{name}': {fault}", "artifacts", str(name))
            try:
                key, entry = str(templates.resolve(str(name))), templates.resolve(body)
            except TemplateFault as fault:
                self._report(str(fault), "artifacts", str(name))
                continue
            if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
                self._report(f"artifact '{key}' has no path", "artifacts", str(name))
                continue
            yield self._artifact(key, entry)

    def _artifact(self, name: str, entry: Mapping[str, Any]) -> Artifact:
        labels = entry.get("labels")
        path = project_path(self._root, self._folder, entry["path"])
        kept = tuple(str(label) for label in labels) if isinstance(labels, list) else ()
        return Artifact(name, self._file, path, entry.get("type"), entry.get("desc"), kept, entry.get("meta"))


class _Cache:
    """Units by file and content; a few variants each, since params files and vars differ too."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[Unit, ...]] = OrderedDict()
        self._lock = ThreadLock()
        self._stages = 0

    def get(self, key: Hashable) -> tuple[Unit, ...]:
        return self._known.get(key, ())

    def put(self, key: Hashable, unit: Unit) -> None:
        with self._lock:
            variants = (unit, *self._known.pop(key, ()))
            self._known[key] = variants[:_KEPT_VARIANTS]
            self._stages += _weight((unit,)) - _weight(variants[_KEPT_VARIANTS:])
            while self._stages > _KEPT_STAGES and len(self._known) > 1:
                _, dropped = self._known.popitem(last=False)
                self._stages -= _weight(dropped)


def _weight(units: tuple[Unit, ...]) -> int:
    return sum(len(unit.stages) + 1 for unit in units)


_CACHE = _Cache()
