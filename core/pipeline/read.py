"""Reading a whole project at one revision: the door to this room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from threading import Lock

from core.errors import NotFound
from core.pipeline.discovery import dvc_files, find_projects, parents
from core.pipeline.graph import Graph, build_graph
from core.pipeline.sources import Source, open_source
from core.pipeline.types import Finding, Pipeline, Stage
from core.pipeline.units import Unit, read_unit

_KEPT_STAGES = 40_000


def read_pipeline(project: Path, revision: str | None = None) -> Pipeline:
    """Stages, edges and findings of the DVC project in ``project``, now or at a git revision.

    Nothing is written, no lock is taken, no data file is hashed. Raises NotFound for a folder or revision
    that does not exist, or a folder without a DVC project; every other fault is a finding.
    """
    with open_source(project, revision) as source:
        return read_source(source)


def read_source(source: Source) -> Pipeline:
    """The pipeline of an opened source; commits come from a cache, the working tree's units do."""
    commit_key = (source.scope, str(source.root), source.revision)
    if source.revision is not None and (known := _CACHE.get(commit_key)) is not None:
        return known
    units, findings = read_units(source)
    key = commit_key if source.revision is not None else (source.scope, findings, *map(id, units))
    known = _CACHE.get(key)
    return known if known is not None else _CACHE.put(key, _joined(source, units, findings), units)


def read_units(
    source: Source, read: Callable[[Source, str], Unit] = read_unit
) -> tuple[list[Unit], tuple[Finding, ...]]:
    """Each file's stages without the graph between them; what lies inside an output is left out, as by DVC."""
    files, findings = dvc_files(source)
    if not files and source.revision is None and not source.is_project("."):
        raise _no_project(source.root)
    units: list[Unit] = []
    outs: set[str] = set()
    for file in files:
        if outs and any(folder in outs for folder in parents(file)):
            continue
        unit = read(source, file)
        units.append(unit)
        outs.update(out.path for stage in unit.stages for out in stage.outs)
    return units, findings


def _joined(source: Source, units: Sequence[Unit], findings: tuple[Finding, ...]) -> Pipeline:
    stages = tuple(stage for unit in units for stage in unit.stages)
    graph = _graph(str(source.root), tuple(unit.shape for unit in units), stages)
    return Pipeline(
        root=source.root,
        revision=source.revision,
        stages=stages,
        edges=graph.edges,
        cycles=graph.cycles,
        findings=(*findings, *(found for unit in units for found in unit.findings), *graph.findings),
        metrics=tuple(dict.fromkeys(path for unit in units for path in unit.metrics)),
        params=tuple(dict.fromkeys(path for unit in units for path in unit.params)),
        plots=tuple(plot for unit in units for plot in unit.plots),
        artifacts=tuple(artifact for unit in units for artifact in unit.artifacts),
    )


_GRAPHS: OrderedDict[Hashable, Graph] = OrderedDict()
_KEPT_GRAPHS = 8


def _graph(root: str, shapes: tuple[bytes, ...], stages: Sequence[Stage]) -> Graph:
    """The graph between stages; another command, parameter or hash in a file leaves it as it was."""
    key = (root, shapes)
    graph = _GRAPHS.get(key) or build_graph(root, stages)
    _GRAPHS[key] = graph
    while len(_GRAPHS) > _KEPT_GRAPHS:
        _GRAPHS.popitem(last=False)
    return graph


def _no_project(folder: Path) -> NotFound:
    nested = [str(path.relative_to(folder)) for path in find_projects(folder)][:5]
    if nested:
        return NotFound(f"{folder} holds several DVC projects.", f"Name one of them: {', '.join(nested)}.")
    return NotFound(
        f"{folder} is not a DVC project: no dvc.yaml, no .dvc file.", "Start one with 'dvc init'."
    )


class _Cache:
    """Whole pipelines: of commits by their hash, of working trees by the units they are made of."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[Pipeline, Sequence[Unit]]] = OrderedDict()
        self._lock = Lock()
        self._stages = 0

    def get(self, key: Hashable) -> Pipeline | None:
        found = self._known.get(key)
        return found[0] if found else None

    def put(self, key: Hashable, pipeline: Pipeline, units: Sequence[Unit]) -> Pipeline:
        with self._lock:
            # The units are kept alive, because their ids are part of the key.
            self._known[key] = (pipeline, units)
            self._stages += len(pipeline.stages) + 1
            while self._stages > _KEPT_STAGES and len(self._known) > 1:
                _, (dropped, _) = self._known.popitem(last=False)
                self._stages -= len(dropped.stages) + 1
        return pipeline


_CACHE = _Cache()
