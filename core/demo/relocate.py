"""Makes a copied or moved demo workspace find its own artifacts again.

MLflow stores absolute artifact paths; this rewrites the old folder to the new one in the SQLite store. It
touches a workspace that the demo built, never another store.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from core.demo import mlflow_store, state
from core.errors import BadInput

_PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def relocate(root: Path) -> None:
    """Point the store of the demo workspace at ``root`` to where it is now; nothing when it has not moved.

    Raises BadInput when ``root`` holds no demo workspace.
    """
    root = root.resolve()
    current = state.load(root)
    if current is None:
        raise BadInput(f"{root} holds no demo workspace.", "Build one with `python -m core demo create DIR`.")
    if current.root == str(root):
        return
    old, new = f"{current.root}/", f"{root}/"
    with closing(mlflow_store.connect(root)) as connection, connection:
        for table, column in _PATH_COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (new, len(old) + 1, len(old), old),
            )
        connection.execute(
            "UPDATE tags SET value = ? WHERE key = 'dvc.root' AND value = ?",
            (f"{root}/project", f"{current.root}/project"),
        )
    _relocate_deployments(root, old, new)
    state.save(root, replace(current, root=str(root)))


def _relocate_deployments(root: Path, old: str, new: str) -> None:
    """The fetched files of served versions moved along; whatever ran did so in the old folder."""
    file = root / "deploy.db"
    if not file.is_file():
        return
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in ("deploy_slots", "deploy_served"):
            connection.execute(
                f"UPDATE {table} SET directory = ? || substr(directory, ?) WHERE substr(directory, 1, ?) = ?",
                (new, len(old) + 1, len(old), old),
            )
        connection.execute("UPDATE deploy_slots SET pid = NULL, create_time = NULL")
