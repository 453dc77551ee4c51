"""Which MLflow database schemas can be read directly.

A newer MLflow client migrates an older store silently when it opens it; we never do. The tables that are
read here (experiments, runs, latest_metrics, metrics, params, tags, datasets, inputs, input_tags) kept
their columns through every revision listed. Source: ``mlflow/store/db_migrations/versions`` of the wheels
2.8.1, 2.14.3, 2.22.1, 3.1.4, 3.4.0, 3.8.1, 3.12.0, 3.17.2 and 3.18.0; oldest first.
"""

from __future__ import annotations

from core.errors import Unavailable

KNOWN_REVISIONS: dict[str, tuple[str, ...]] = {
    "2.4 to 2.8": ("7f2a7d5fae7d", "2d6e25af4d3e", "acf3f17fdcc7"),
    "2.9 to 2.14": ("867495a8f9d4", "5b0e9adcef9c"),
    "2.15 to 2.22": ("4465047574b1", "f5a4f2784254", "0584bdc529eb"),
    "3.0 to 3.1": ("400f98739977", "6953534de441", "bda7b8c39065"),
    "3.2 to 3.4": (
        *("cbc13b556ace", "770bee3ae1dd", "a1b2c3d4e5f6", "de4033877273", "1a0cddfcaa16"),
        *("534353b11cbc", "71994744cf8e"),
    ),
    "3.5 to 3.8": ("3da73c924c2f", "bf29a5ff90ea", "1bd49d398cd23"),
    "3.9 to 3.12": (
        *("b7c8d9e0f1a2", "5d2d30f0abce", "c9d4e5f6a7b8", "2c33131f4dae", "d3e4f5a6b7c8", "d0e1f2a3b4c5"),
        *("c8d9e0f1a2b3", "1b5f0d9ad7c1", "e1f2a3b4c5d6", "76601a5f987d", "c3d6457b6d8a", "a5b4c3d2e1f0"),
        *("ae8bbe7743c9", "7d34483879f0"),
    ),
    "3.13 to 3.17": (
        *("da6fb0208061", "89d3d66ed43f", "b7e4c1a90f23", "a8b9c0d1e2f3", "c1d2e3f4a5b6", "c3d9e7f1a2b4"),
        *("6f8d9c3b2a1e", "1971f2d9a75b", "17e22815139b", "b7e2c1a4d9f3", "75868b020152", "dc11669786a5"),
    ),
    "3.18": ("8b6ad64cb8f5", "e7d1f4b2a9c6", "f4a9b2c7d1e6"),
}
"""MLflow releases -> the Alembic revisions their stores can have."""


def check_revision(revision: str | None, where: str) -> None:
    """Raise Unavailable unless ``revision`` (of the store ``where``) is one that we can read."""
    if revision is None:
        raise Unavailable(*no_schema(where))
    if any(revision in revisions for revisions in KNOWN_REVISIONS.values()):
        return
    oldest, newest = next(iter(KNOWN_REVISIONS)).split(" ")[0], tuple(KNOWN_REVISIONS)[-1]
    raise Unavailable(
        f"{where} has MLflow schema {revision}, which is not one of MLflow {oldest} to {newest} "
        "that can be read directly.",
        "If it is older, back it up and run `mlflow db upgrade`; if it is newer, start its own `mlflow server` "
        "and set the tracking URI to that server's http address.",
    )


def no_schema(where: str) -> tuple[str, str]:
    """That the database ``where`` is none of MLflow's, and the way out."""
    return (
        f"{where} holds no MLflow schema (no alembic_version).",
        "Check the tracking URI: it should name the database that `mlflow server` was started with.",
    )
