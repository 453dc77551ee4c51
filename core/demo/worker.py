"""One part of the build in its own process: ``python -m core.demo.worker PART ROOT SCALE NOW``.

A line on stdout is one step of progress; everything else that libraries print goes to stderr, the log.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from core.demo import campaigns, decisions, mlflow_registry, mlflow_store, project, serving_log, settings_file
from core.demo.story import SCALES, Scale

Part = Callable[[Path, Scale, datetime, Callable[[], None]], None]


def _store(root: Path, _scale: Scale, _now: datetime, advance: Callable[[], None]) -> None:
    mlflow_store.create(root)
    advance()


def _experiments(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    campaigns.triage(root, scale, now, advance)
    campaigns.readmission(root, scale, now, advance)


def _decisions(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    settings_file.write(root)
    decisions.build(root, scale, now)
    mlflow_registry.finish(root, scale)
    advance()


PARTS: dict[str, Part] = {
    "store": _store,
    "project": project.build,
    "experiments": _experiments,
    "notebooks": campaigns.diagnosis,
    "serving": serving_log.build,
    "decisions": _decisions,
}


def main(part: str, root: str, scale: str, now: str) -> None:
    """Build one part."""
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
    progress = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    PARTS[part](Path(root), SCALES[scale], datetime.fromisoformat(now), lambda: print(part, file=progress))


if __name__ == "__main__":
    main(*sys.argv[1:])
