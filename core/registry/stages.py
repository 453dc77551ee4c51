"""MLflow's deprecated stages as a second mirror, for teams whose other tools still read them.

A version has one stage. One that is live in several environments shows the highest of theirs; what no environment
names any more leaves the stage for ``Archived``, as MLflow's own users expect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.registry.types import ModelVersion

STAGES = ("Production", "Staging")
"""The stages that mirror an environment, the highest first."""
ARCHIVED, NONE = "Archived", "None"


class StageWriter(Protocol):
    """Puts a version into a stage, and leaves every other version where it is."""

    def __call__(self, model: str, version: int, stage: str) -> None: ...


@dataclass(frozen=True, slots=True)
class StageMove:
    """A version that is not in the stage it should be in; '' is no stage."""

    version: int
    before: str
    after: str


def stage_moves(
    versions: Iterable[ModelVersion], named: Mapping[str, int], stages: Mapping[str, str]
) -> tuple[StageMove, ...]:
    """What has to move so that stages say what ``named`` (environment or alias -> version) says.

    ``stages`` maps the same names to their stage; versions in other stages are left alone.
    """
    wanted: dict[int, str] = {}
    for name, stage in sorted(stages.items(), key=lambda item: STAGES.index(item[1])):
        if name in named:
            wanted.setdefault(named[name], stage)
    mirrored = set(stages.values())
    return tuple(
        StageMove(item.version, item.stage, wanted.get(item.version, ARCHIVED))
        for item in versions
        if item.stage != wanted.get(item.version, ARCHIVED if item.stage in mirrored else item.stage)
    )
