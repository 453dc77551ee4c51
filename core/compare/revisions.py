"""A DVC revision as an item: the params and metrics that the project's files hold at a commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.compare.types import Item
from core.errors import BadSettings, NotFound

if TYPE_CHECKING:
    from core.settings import Settings


def revision_item(settings: Settings, revision: str, ref: str) -> Item:
    """The revision of the first configured DVC project that knows it; raises NotFound, BadSettings.

    Params are those that stages depend on, metrics the numbers in their metrics files; with several files a
    key is written as FILE:KEY.
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
    from core.pipeline.measures import read_metrics, read_params
    from core.pipeline.read import read_pipeline

    pipeline = read_pipeline(project, revision)
    (metrics,), (params,) = read_metrics(project, [revision]), read_params(project, [revision])
    numbers = {
        key: float(value)
        for key, value in _named(metrics.values)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return Item(
        ref=ref,
        label=revision if len(revision) < 40 else revision[:7],
        kind="rev",
        params=dict(_named(params.values)),
        metrics=numbers,
        datasets={
            f"data: {out.path}": out.hash.value
            for stage in pipeline.data_files
            for out in stage.outs
            if out.hash is not None
        },
        code={"git commit": metrics.commit or ""},
    )


def _named(files: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(key, value) of all files; keys carry their file when there is more than one with values."""
    filled = {path: values for path, values in files.items() if values}
    for path, values in filled.items():
        for key, value in values.items():
            yield (f"{path}:{key}" if len(filled) > 1 else key), value
