"""Plots of one or many revisions: data points or image bytes, with the options that dvc.yaml gives them."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.pipeline.checks import cache_of
from core.pipeline.measures import Stored, cached_bytes
from core.pipeline.read import read_units
from core.pipeline.sources import DIRECTORY, Source, SourceFault, open_sources
from core.pipeline.types import Finding, Out
from core.pipeline.units import Unit
from core.pipeline.yaml12 import YamlFault, load

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
MAX_POINTS = 50_000
MAX_IMAGES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot at one revision: ``points`` (rows as mappings) or ``image`` bytes, else the reason in ``stored``.

    ``options`` are DVC's: template, x, y, x_label, y_label, title.
    """

    name: str
    path: str
    revision: str | None
    options: Mapping[str, Any]
    points: tuple[Mapping[str, Any], ...] = ()
    image: bytes | None = None
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Plots:
    """The plots of all asked revisions, and what could not be read."""

    plots: tuple[Plot, ...]
    findings: tuple[Finding, ...]


def read_plots(project: Path, revisions: Sequence[str | None] = (None,)) -> Plots:
    """Plots of each revision; several with the same ``name`` and ``path`` belong into one chart."""
    plots: list[Plot] = []
    findings: list[Finding] = []
    cache = cache_of(project)
    with open_sources(project) as sources:
        for revision in revisions:
            source = sources.at(revision)
            units, _ = read_units(source)
            outs = {out.path: out for unit in units for stage in unit.stages for out in stage.outs}
            for name, path, options in _wanted(units, source):
                blank = Plot(name=name, path=path, revision=revision, options=options)
                try:
                    found = _filled(blank, source, outs.get(path), cache)
                except (SourceFault, YamlFault, ValueError) as fault:
                    findings.append(Finding(path, None, f"this plot cannot be read: {fault}"))
                    continue
                if found is not None:
                    plots.append(found)
    return Plots(tuple(plots), tuple(findings))


def _wanted(units: Sequence[Unit], source: Source) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(name, file, options) of each plot: those of stages, then the top-level ones file by file."""
    for unit in units:
        for stage in unit.stages:
            for out in stage.plots:
                yield from _files(source, out.path, out.path, out.plot or {})
        for spec in unit.plots:
            folder = posixpath.dirname(spec.file)
            for path in _paths(spec.name, spec.options):
                full = posixpath.normpath(posixpath.join(folder, path))
                yield from _files(source, spec.name, full, spec.options)


def _paths(name: str, options: Mapping[str, Any]) -> Iterator[str]:
    y = options.get("y")
    if isinstance(y, Mapping):
        yield from (str(path) for path in y)
    else:
        yield name


def _files(
    source: Source, name: str, path: str, options: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    if source.identity(path) != DIRECTORY:
        yield name, path, options
        return
    for child in source.children(path)[:MAX_IMAGES]:
        yield f"{name}/{child}", f"{path}/{child}", options


def _filled(plot: Plot, source: Source, out: Out | None, cache: Path) -> Plot | None:
    try:
        data = source.read(plot.path)
    except FileNotFoundError:
        if out is None or out.hash is None or not out.cache:
            return None
        cached = cached_bytes(cache, out.hash)
        if cached is None:
            return replace(plot, stored=Stored(plot.path, out.hash, out.size, source.revision))
        data = cached
    if plot.path.lower().endswith(IMAGES):
        return replace(plot, image=data)
    return replace(plot, points=parse_points(plot.path, data))


def parse_points(path: str, data: bytes) -> tuple[Mapping[str, Any], ...]:
    """Rows of a CSV, TSV, JSON or YAML plot file, at most 50,000; raises ValueError or YamlFault."""
    suffix = posixpath.splitext(path)[1].lower()
    text = data.decode("utf-8")
    if suffix in (".csv", ".tsv"):
        rows = csv.DictReader(io.StringIO(text), delimiter="\t" if suffix == ".tsv" else ",")
        return tuple({key: _number(value) for key, value in row.items() if key} for _, row in _first(rows))
    value = json.loads(text) if suffix == ".json" else load(data).value
    rows_of = _rows(value)
    return tuple(row for _, row in _first(rows_of))


def _first(rows: Any) -> Iterator[tuple[int, Any]]:
    return zip(range(MAX_POINTS), rows, strict=False)


def _rows(value: Any) -> list[Mapping[str, Any]]:
    """The first list of mappings in a document, as DVC looks for it."""
    pending = [value]
    while pending:
        current = pending.pop(0)
        if isinstance(current, list) and current and all(isinstance(row, Mapping) for row in current):
            return current
        if isinstance(current, Mapping):
            pending += current.values()
    return []


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text
