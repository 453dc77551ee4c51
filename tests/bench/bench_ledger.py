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
from core.ledger import events as ev
from core.ledger.rows import row_of
from core.ledger.schema import events as table
from core.ledger.store import Ledger
from core.ledger.types import Head
from core.settings import LedgerSection, MlflowSection, Settings
from core.workspace import Workspace
from tests.model_store import ModelStore, new_model_store

EVENTS, APPENDS, MODELS, VERSIONS = 100_000, 300, 50, 100
SOON = datetime(2027, 1, 1, tzinfo=UTC)
ANA = Actor("ana", "Ana Lead")


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def event(number: int) -> ev.Event:
    """One of ten events that a release leaves: a request with its signatures and remarks, and what was done."""
    release, step = divmod(number, 10)
    place = {"model": f"m{release % 20}", "environment": "production"}
    asked = {**place, "request_id": f"req-{release}"}
    moved = {**place, "operation_id": f"op-{release}", "from_version": release, "to_version": release + 1}
    signed = ev.ApprovalSigned(
        **asked, version=release + 1, digest="d", printed_name="Ana", meaning="I approve", authenticated=True
    )
    return (
        ev.RequestOpened(
            **asked, version=release + 1, run_id="r", run_author="rina", digest="d", policy_version=1, tier="high",
            needs=2, champion=release, expires_at=SOON, reason=f"no {number}",
            evidence={"metrics": {"auroc": 0.9, "sensitivity": 0.8}, "files": "f" * 64, "gates": [{"name": "auroc"}]},
        ),
        ev.Commented(**asked, reason="looks good"),
        signed,
        ev.Commented(**asked, reason="a question"),
        signed,
        ev.OperationStarted(**moved, verb="promote"),
        ev.Promoted(**moved, request_id=f"req-{release}", basis="approved", sha256="f" * 64),
        ev.ExportMade(**place, what="evidence pack"),
        ev.Commented(model=place["model"], request_id="none", reason="a remark on nothing"),
        ev.FreezeLifted(**place),
    )[step]  # fmt: skip


def filled(folder: Path) -> Ledger:
    """A ledger of many events, written in one transaction: appending them one by one would take minutes."""
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    first = ledger.append(event(0), ANA)
    last, rows = Head(first.seq, first.hash), []
    for number in range(1, EVENTS):
        row = row_of(event(number), ANA, None, datetime.now(UTC), last)
        last = Head(row[0], row[-1])
        rows.append(dict(zip(table.c.keys(), row, strict=True)))
    with ledger.database.writing() as connection:
        connection.execute(table.insert(), rows)
    ledger.rebuild()
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
            seconds(lambda number=number: ledger.append(event(EVENTS + number), ANA))
            for number in range(APPENDS)
        ]
        fresh = [Ledger(str(ledger.database.url)) for _ in range(3)]
        first = min(seconds(one.state) for one in fresh)
        used = min(seconds(lambda one=one: tuple(one.state().requests.values())) for one in fresh)
        again = seconds(fresh[0].state)
        remade = seconds(ledger.rebuild)
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
        (f"state of {EVENTS:,} events, first read (s)", first, 0.3),
        ("every one of its requests looked at, first (s)", used, None),
        ("the stored state made anew (s)", remade, None),
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
