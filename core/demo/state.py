"""What of a demo workspace is finished, so that a second call ends at once and an interrupted one goes on.

A phase is redone from scratch: before it starts, the MLflow database is set aside, and a phase that finds
such a copy puts it back and removes what the interrupted attempt left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from core.demo import mlflow_store
from core.errors import BadInput, Conflict

FOLDER = ".demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The build of a workspace: how much, seen from when, which phases are finished, in how many seconds."""

    scale: str
    now: datetime
    root: str
    done: tuple[str, ...] = ()
    seconds: float = 0.0

    def finish(self, phase: str, seconds: float) -> State:
        """The state with one more finished phase."""
        return replace(self, done=(*self.done, phase), seconds=round(self.seconds + seconds, 1))


def load(root: Path) -> State | None:
    """The state of the workspace at ``root``; None where none was begun. Raises BadInput for another folder."""
    file = root / FOLDER / "state.json"
    if file.is_file():
        values = json.loads(file.read_text(encoding="utf-8"))
        done, now = tuple(values.pop("done")), datetime.fromisoformat(values.pop("now"))
        return State(done=done, now=now, **values)
    if root.exists() and (not root.is_dir() or any(path.name != FOLDER for path in root.iterdir())):
        raise BadInput(
            f"{root} exists and is no demo workspace.", "Name a new or an empty folder; nothing was changed."
        )
    return None


def save(root: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    file = root / FOLDER / "state.json"
    values = asdict(state) | {"now": state.now.isoformat()}
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    temporary.replace(file)


def lock(root: Path) -> int:
    """An open descriptor that holds the workspace's lock until it, and every copy of it, is closed."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(
            f"Another process is building the demo in {root}.", "Wait for it, or name another folder."
        ) from error
    return descriptor


def begin(root: Path, phase: str, outputs: tuple[str, ...]) -> None:
    """Make the workspace as it was before any attempt at ``phase``."""
    database, kept = mlflow_store.database(root), root / FOLDER / f"before-{phase}.db"
    for path in (root / name for name in outputs):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if kept.is_file():
        shutil.copyfile(kept, database)
        _remove_orphans(root)
    elif database.is_file():
        temporary = kept.with_suffix(".new")
        shutil.copyfile(database, temporary)
        temporary.replace(kept)


def end(root: Path, phase: str) -> None:
    """Forget the copy that was set aside."""
    (root / FOLDER / f"before-{phase}.db").unlink(missing_ok=True)


def _remove_orphans(root: Path) -> None:
    with closing(mlflow_store.connect(root)) as connection:
        query = "SELECT run_uuid FROM runs UNION SELECT model_id FROM logged_models"
        known = {name for (name,) in connection.execute(query)}
    artifacts = root / "mlflow" / "artifacts"
    for folder in [*artifacts.glob("*/*"), *artifacts.glob("*/models/*")]:
        if folder.name not in known | {"models"}:
            shutil.rmtree(folder)
