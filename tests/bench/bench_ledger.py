"""Ledger and registry, measured: an append, checking 100,000 events, and reading 5,000 versions against MLflow.

Run: python tests/bench/bench_ledger.py
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.access import Actor
from core.ledger.events import Commented
from core.ledger.schema import events as table
from core.ledger.store import Ledger, _row
from core.settings import LedgerSection, MlflowSection, Settings
from core.workspace import Workspace
from tests.model_store import ModelStore, new_model_store

EVENTS, APPENDS, MODELS, VERSIONS = 100_000, 300, 50, 100
ANA = Actor("ana", "Ana Lead")


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def remark(number: int) -> Commented:
    return Commented(model=f"m{number % 20}", environment="production", request_id="r", reason=f"no {number}")


def filled(folder: Path) -> Ledger:
    """A ledger of many events, written in one transaction: appending them one by one would take minutes."""
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    last = ledger.append(remark(0), ANA)

    class Last:
        seq, hash = last.seq, last.hash

    rows = []
    for number in range(1, EVENTS):
        row = _row(remark(number), ANA, None, datetime.now(UTC), Last)
        Last.seq, Last.hash = row[0], row[-1]
        rows.append(dict(zip(table.c.keys(), row, strict=True)))
    with ledger.database.writing() as connection:
        connection.execute(table.insert(), rows)
    return ledger


def crowded(folder: Path) -> ModelStore:
    """50 models with 5,000 versions, written straight into MLflow's tables."""
    store = new_model_store(folder)
    now = 1_790_000_000_000
    with sqlite3.connect(folder / "mlflow.db") as connection:
        for number in range(MODELS):
            name = f"model-{number:02}"
            connection.execute(
                "INSERT INTO registered_models (name, creation_time, last_updated_time, workspace)"
                " VALUES (?, ?, ?, 'default')",
                (name, now, now),
            )
            connection.executemany(
                "INSERT INTO model_versions (name, version, creation_time, last_updated_time, current_stage,"
                " source, run_id, status, workspace) VALUES (?, ?, ?, ?, 'None', ?, ?, 'READY', 'default')",
                [
                    (
                        name,
                        v,
                        now,
                        now,
                        f"s3://b/{name}/{v}",
                        f"{number:016}{v:016}",
                    )
                    for v in range(1, VERSIONS + 1)
                ],
            )
            connection.executemany(
                "INSERT INTO model_version_tags (name, version, key, value, workspace)"
                " VALUES (?, ?, 'note', 'x', 'default')",
                [(name, v) for v in range(1, VERSIONS + 1)],
            )
            connection.execute(
                "INSERT INTO registered_model_aliases (name, alias, version, workspace)"
                " VALUES (?, 'champion', 50, 'default')",
                (name,),
            )
    return store


def by_mlflow(store: ModelStore) -> int:
    """What MLflow's client needs for its model list and the version list."""
    client = store.client
    models = list(client.search_registered_models(max_results=1000))
    versions, token = [], None
    while True:
        page = client.search_model_versions(max_results=10_000, page_token=token)
        versions += page
        token = page.token
        if not token:
            return len(models) + len(versions)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = filled(folder)
        check = min(seconds(ledger.verify) for _ in range(3))
        appends = [
            seconds(lambda number=number: ledger.append(remark(number), ANA)) for number in range(APPENDS)
        ]
        first = seconds(ledger.state)
        again = seconds(ledger.state)
        store = crowded(folder / "mlflow")
        settings = Settings(
            root=folder,
            mlflow=MlflowSection(tracking_uri=store.uri),
            ledger=LedgerSection(url=f"sqlite:///{folder}/other.db"),
        )
        registry = Workspace(settings).registry
        assert (
            by_mlflow(store) == len(registry.models()) + len(registry.versions()) == MODELS * (VERSIONS + 1)
        )
        theirs, ours, page = [], [], []
        for _ in range(5):
            theirs.append(seconds(lambda: by_mlflow(store)))
            ours.append(seconds(lambda: (registry.models(), registry.versions())))
            page.append(seconds(lambda: (registry.models(), registry.versions("model-07"))))
    rows = [
        ("append, median (ms)", 1000 * statistics.median(appends), 10.0),
        (f"verify {EVENTS:,} events (s)", check, 5.0),
        (f"state of {EVENTS:,} events, first (s)", first, None),
        ("state again, nothing new (s)", again, None),
        ("MLflow: models and all versions (s)", statistics.median(theirs), None),
        ("ours: models and all versions, ratio", statistics.median(ours) / statistics.median(theirs), 1 / 3),
        (
            "ours: first page (models, one's versions), ratio",
            statistics.median(page) / statistics.median(theirs),
            1 / 3,
        ),
    ]
    late = False
    for title, value, limit in rows:
        told = "" if limit is None else f"  limit {limit:.3g}  {'ok' if value <= limit else 'MISSED'}"
        late = late or (limit is not None and value > limit)
        print(f"{title:52} {value:9.4f}{told}")
    sys.exit(late)


if __name__ == "__main__":
    main()
