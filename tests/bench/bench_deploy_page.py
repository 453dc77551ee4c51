"""Bench of the Deploy page: 50 endpoints behind a real router, 10,000 events in the ledger.

Run as ``PYTHONPATH=. python tests/bench/bench_deploy_page.py``. The page's own script runs as the server runs it,
without a browser: seconds of server time, first with every cache empty, then as somebody who looks again. One
endpoint is served by two processes that answer; the other 49 are recorded as live, and the router asks for them.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from core.deploy.types import Artifact, EndpointKey, Served
from core.ledger.events import Deployed
from core.ledger.rows import row_of
from core.ledger.schema import events as table
from core.ledger.types import Head
from core.workspace import Workspace
from tests import cheap_workspace as cheap
from tests.contract.ledger_store import ANA

ENDPOINTS, EVENTS, ROUNDS = 50, 10_000, 7
APP = Path(__file__).parents[2] / "dashboard" / "app.py"


def main() -> None:
    """Measure and print the table."""
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    with ExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="bench-"))
        ws = stack.enter_context(cheap.cheap_workspace(root))
        fill(ws)
        for version in (1, 2):
            cheap.ship(ws, version)
        os.environ["MODELDESK_WORKSPACE"] = str(root)
        app = AppTest.from_file(str(APP), default_timeout=120)
        app.switch_page("app_pages/deploy.py")
        taken(app)  # imports are paid once per server, not per page
        shown = len(app.dataframe[0].value)
        assert shown >= ENDPOINTS and not app.exception, f"{shown} endpoints are shown"
        cold, warm = [], []
        for _ in range(ROUNDS):
            st.cache_data.clear()
            cold.append(taken(app))
            warm.append(taken(app))
        rows = (
            (f"page of {shown} endpoints, {ws.ledger.head().events:,} events, caches empty", cold),
            ("the same page, looked at again", warm),
        )
        for name, times in rows:
            print(f"{name:64} {statistics.median(times):>8.2f} s  (reach 1 s)")
        print(f"{'machine load':64} {os.getloadavg()[0]:>8.1f}    {os.cpu_count()} cores")


def taken(app: AppTest) -> float:
    """Seconds that one run of the page takes."""
    begin = time.perf_counter()
    app.run()
    return time.perf_counter() - begin


def fill(ws: Workspace) -> None:
    """Endpoints recorded as live in database and ledger, each with a history."""
    from tests.model_store import ModelStore

    store, began = ModelStore(ws.root / "mlflow"), datetime.now(UTC) - timedelta(days=200)
    keys = [EndpointKey(f"model-{number:02}", "production") for number in range(ENDPOINTS - 1)]
    for key in keys:
        store.version(key.model)
        folder = ws.registry.folder(key.model, 1)
        artifact = Artifact(directory=folder, sha256=f"{key.model:0>64}", size_bytes=1000)
        served = Served(version=1, sha256=artifact.sha256, since=began, until=None, by="Ana Lima", good=True)
        ws.deployments.endpoint(key, "ana")
        ws.deployments.store.adopt(key, ((served, artifact),), "ana")
    record(ws, keys, began)


def record(ws: Workspace, keys: list[EndpointKey], began: datetime) -> None:
    """Deployments of all endpoints in one transaction: appending them one by one would take a minute."""
    keys = [*keys, cheap.KEY]
    ws.ledger.append(deployed(keys[0], 0), ANA)
    last, rows = ws.ledger.head(), []
    for number in range(1, EVENTS):
        at = began + timedelta(minutes=20 * number)
        row = row_of(deployed(keys[number % len(keys)], number), ANA, None, at, last)
        last = Head(row[0], row[-1])
        rows.append(dict(zip(table.c.keys(), row, strict=True)))
    with ws.ledger.database.writing() as connection:
        connection.execute(table.insert(), rows)
    ws.ledger.rebuild()


def deployed(key: EndpointKey, number: int) -> Deployed:
    """The next deployment of an endpoint."""
    return Deployed(
        model=key.model,
        environment=key.environment,
        reason="retrained on last month's admissions",
        operation_id=f"{number:012}",
        from_version=number or None,
        to_version=number + 1,
        alias="champion",
        basis="approved",
        sha256="f" * 64,
        engine="embedded",
        verified=True,
    )


if __name__ == "__main__":
    main()
