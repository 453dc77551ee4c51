"""What would go wrong if the pipeline ran now: the check before a reproduction."""

from __future__ import annotations

from collections.abc import Iterator

from core.pipeline.checks import cache_of, holds
from core.pipeline.discovery import parents
from core.pipeline.git import find_repository, run
from core.pipeline.paths import is_url
from core.pipeline.types import DepKind, Finding, Out, Pipeline, Severity, Stage


def validate(pipeline: Pipeline) -> tuple[Finding, ...]:
    """Findings of reading (cycles, duplicate outputs, no command ...) and of the working tree around it.

    Errors keep ``dvc repro`` from working; warnings (no lock yet, data that must be pulled) do not.
    """
    found = list(pipeline.findings)
    if pipeline.revision is None:
        found += _missing_deps(pipeline)
        found += _tracked_outs(pipeline)
    found += _missing_params(pipeline)
    found += _without_lock(pipeline)
    return tuple(dict.fromkeys(found))


def is_sound(findings: tuple[Finding, ...]) -> bool:
    """True when no finding is an error."""
    return not any(finding.severity is Severity.ERROR for finding in findings)


def _at(stage: Stage, message: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(stage.file, stage.line, f"stage '{stage.key}': {message}", severity)


def _missing_deps(pipeline: Pipeline) -> Iterator[Finding]:
    made = {out.path for stage in pipeline.stages for out in stage.outs}
    around = made.union(*(parents(path) for path in made))
    cache = cache_of(pipeline.root)
    for stage in pipeline.stages:
        for dep in stage.deps:
            if dep.kind is not DepKind.FILE or (pipeline.root / dep.path).exists():
                continue
            if dep.path not in around and not any(folder in made for folder in parents(dep.path)):
                yield _at(stage, f"the dependency '{dep.path}' does not exist and no stage makes it")
    for stage in pipeline.data_files:
        for out in stage.outs:
            if not is_url(out.path) and not (pipeline.root / out.path).exists():
                held = out.hash is not None and holds(cache, out.hash)
                way_out = "dvc checkout" if held else "dvc pull"
                yield _at(stage, f"'{out.path}' is not here; run '{way_out} {out.path}'", Severity.WARNING)


def _missing_params(pipeline: Pipeline) -> Iterator[Finding]:
    made = {out.path for stage in pipeline.stages for out in stage.outs}
    for stage in pipeline.stages:
        for params in stage.params:
            if params.current is None:
                if params.file not in made:
                    yield _at(stage, f"the params file '{params.file}' does not exist or cannot be read")
                continue
            for key in params.keys:
                if key not in params.current:
                    yield _at(stage, f"the parameter '{key}' is not in {params.file}")


def _without_lock(pipeline: Pipeline) -> Iterator[Finding]:
    for stage in pipeline.stages:
        if not stage.is_data and not stage.has_lock:
            yield _at(stage, "it has never run (no entry in dvc.lock)", Severity.WARNING)


def _tracked_outs(pipeline: Pipeline) -> Iterator[Finding]:
    """Outputs in DVC's cache that git tracks too: DVC refuses to take them over."""
    repository = find_repository(pipeline.root)
    cached = {out.path: stage for stage in pipeline.stages for out in stage.outs if _is_cached(out)}
    if repository is None or not cached:
        return
    tracked = set()
    for path in run(pipeline.root, "ls-files", "-z", "--cached").split("\0"):
        parts = path.split("/")
        tracked.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    for path, stage in cached.items():
        if path in tracked:
            text = (
                f"the output '{path}' is tracked by git; run 'git rm -r --cached {path}' or set cache: false"
            )
            yield _at(stage, text)


def _is_cached(out: Out) -> bool:
    return out.cache and not is_url(out.path) and not out.path.startswith(("/", "../"))
