"""A DVC revision as an item: the params and metrics that the project's files hold at a commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.compare.types import Item
from core.errors import BadSettings, NotFound

if TYPE_CHECKING:
    from core.pipeline.sources import Source
    from core.pipeline.types import Pipeline
    from core.settings import Settings


def revision_item(settings: Settings, revision: str, ref: str) -> Item:
    """The revision of the first configured DVC project that knows it; raises NotFound, BadSettings.

    Params are those that stages list, metrics the numbers in their metrics files; with several files a key
    is written as FILE:KEY.
    """
    if not settings.dvc.projects:
        raise BadSettings(
            f"{ref} names a DVC revision, but no DVC project is configured.",
            "List one under [dvc] projects in modeldesk.toml.",
        )
    unknown: NotFound | None = None
    for project in settings.dvc.projects:
        try:
            return _item(settings.path(project), revision, ref)
        except NotFound as error:
            unknown = error
    raise unknown or NotFound(f"No project has the revision '{revision}'.")


def _item(project: Path, revision: str, ref: str) -> Item:
    from core.pipeline.read import read_source
    from core.pipeline.sources import open_source

    with open_source(project, revision) as source:
        pipeline = read_source(source)
        metrics = dict(_named(_metric_files(source, pipeline)))
    numbers = {
        key: float(value)
        for key, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return Item(
        ref=ref,
        label=revision if len(revision) < 40 else revision[:7],
        kind="rev",
        params=dict(_named(_param_files(pipeline))),
        metrics=numbers,
        datasets={
            f"data: {out.path}": out.hash.value
            for stage in pipeline.data_files
            for out in stage.outs
            if out.hash is not None
        },
        code={"git commit": pipeline.revision or ""},
    )


def _param_files(pipeline: Pipeline) -> dict[str, Mapping[str, Any]]:
    from core.pipeline.values import flatten

    files: dict[str, dict[str, Any]] = {}
    for stage in pipeline.stages:
        for dep in stage.params:
            files.setdefault(dep.file, {}).update(flatten(dep.current or {}))
    return files


def _metric_files(source: Source, pipeline: Pipeline) -> dict[str, Mapping[str, Any]]:
    from core.pipeline.values import flatten

    hashes = {out.path: out.hash for stage in pipeline.stages for out in stage.metrics}
    paths = dict.fromkeys([*hashes, *pipeline.metrics])
    return {path: dict(flatten(_values(source, pipeline.root, path, hashes.get(path)))) for path in paths}


def _values(source: Source, root: Path, path: str, recorded: Any) -> Mapping[str, Any]:
    """What the commit holds; a metrics file that git does not track lies in DVC's cache under its hash."""
    from core.pipeline.checks import cache_of
    from core.pipeline.values import ValuesFault, parse_values, read_values

    try:
        return read_values(source, path)
    except FileNotFoundError:
        if recorded is None:
            return {}
    except ValuesFault:
        return {}
    cached = cache_of(root) / "files" / "md5" / recorded.value[:2] / recorded.value[2:]
    try:
        return parse_values(path, cached.read_bytes())
    except (OSError, ValuesFault):
        return {}


def _named(files: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(key, value) of all files; keys carry their file when there is more than one with values."""
    filled = {path: values for path, values in files.items() if values}
    for path, values in filled.items():
        for key, value in values.items():
            yield (f"{path}:{key}" if len(filled) > 1 else key), value
