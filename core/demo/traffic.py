"""Requests for a served model, made of the demo's own rows: what the Deploy page shows is then real traffic."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.deploy.model_files import read_model_file
from core.deploy.types import Endpoint, EndpointKey
from core.errors import BadInput, NotFound

if TYPE_CHECKING:
    import pandas as pd

    from core.settings import MonitorSection
    from core.workspace import Workspace

CLIENTS = 4
ROWS = 2000
LONGEST_S = 3600.0
FASTEST_PER_S = 200.0
ANSWER_S = 30.0


@dataclass
class Sent:
    """What became of the requests; times in seconds, counts per status and per answering version."""

    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Requests that got no 2xx answer."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))

    def quantile_ms(self, share: float) -> float | None:
        """A quantile of the answer times; None when nothing was answered."""
        times = sorted(self.seconds)
        return times[min(len(times) - 1, int(len(times) * share))] * 1000 if times else None


def replay(
    ws: Workspace, key: EndpointKey, *, seconds: float, per_s: float, with_labels: bool = True
) -> Sent:
    """Send logged rows of ``key.model`` to its endpoint at a steady rate, then give in their labels.

    Raises BadInput for a rate or time out of bounds, NotFound when nothing serves or nothing was logged.
    """
    if not (0 < seconds <= LONGEST_S and 0 < per_s <= FASTEST_PER_S):
        raise BadInput(
            f"{seconds:g} s at {per_s:g} requests/s is out of bounds.",
            f"At most {LONGEST_S:g} s and {FASTEST_PER_S:g} requests/s.",
        )
    endpoint = ws.deployments.store.endpoint(key)
    if endpoint is None or endpoint.live is None:
        raise NotFound(
            f"Nothing serves {key}.", "Start the dashboard or deployd; `status` shows what serves."
        )
    monitor = next((item for item in ws.settings.monitors if item.model == key.model), None)
    if monitor is None:
        raise NotFound(
            f"No [[monitors]] section names rows of {key.model}.", "Only watched models have rows."
        )
    rows = _rows(ws, monitor)
    sent = _send(endpoint, _bodies(endpoint, rows), seconds, per_s)
    if with_labels:
        _give_labels(ws, monitor, rows, sent)
    return sent


def _rows(ws: Workspace, monitor: MonitorSection) -> pd.DataFrame:
    """The newest logged rows whose outcome is known."""
    import pandas as pd

    if monitor.labels is None:
        raise NotFound("The monitor names no labels.", "Add `labels` to its section.")
    files = sorted(ws.settings.path(monitor.predictions).glob("????-??-??.parquet"))
    known = pd.read_parquet(ws.settings.path(monitor.labels))[[monitor.request_id, monitor.label]]
    known = known.drop_duplicates(monitor.request_id, keep="last")
    found: list[pd.DataFrame] = []
    for file in reversed(files):
        found.append(pd.read_parquet(file).merge(known, on=monitor.request_id))
        if sum(map(len, found)) >= ROWS:
            break
    if not sum(map(len, found)):
        raise NotFound(
            f"There is no logged row with a label in {monitor.predictions}.", "Build the demo anew."
        )
    return pd.concat(found, ignore_index=True)


def _bodies(endpoint: Endpoint, rows: pd.DataFrame) -> list[bytes]:
    slot = endpoint.slot(endpoint.live)
    columns = [column.name for column in read_model_file(slot.artifact.directory).columns]
    features = rows.reindex(columns=columns)
    return [
        f'{{"dataframe_split": {features.iloc[[i]].to_json(orient="split", index=False)}}}'.encode()
        for i in range(len(features))
    ]


def _send(endpoint: Endpoint, bodies: list[bytes], seconds: float, per_s: float) -> Sent:
    sent, lock, run = Sent(), threading.Lock(), uuid.uuid4().hex[:8]
    numbers: Iterator[int] = itertools.count()
    begin = time.monotonic()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=ANSWER_S)
        while True:
            with lock:
                number = next(numbers)
            due = begin + number / per_s
            if number / per_s >= seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            _one(connection, f"{run}-{number:06d}", number % len(bodies), bodies, sent, lock)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent


def _one(
    connection: http.client.HTTPConnection,
    request_id: str,
    row: int,
    bodies: list[bytes],
    sent: Sent,
    lock: threading.Lock,
) -> None:
    headers: Mapping[str, str] = {
        "Content-Type": "application/json",
        "X-Request-Id": request_id,
        "X-Assign": f"demo-person-{request_id}",
    }
    start = time.perf_counter()
    try:
        connection.request("POST", "/invocations", bodies[row], headers)
        response = connection.getresponse()
        response.read()
        status, version = str(response.status), response.headers.get("X-Model-Version", "")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        status, version = type(error).__name__, ""
    with lock:
        sent.statuses[status] += 1
        if status.startswith("2"):
            sent.versions[version] += 1
            sent.seconds.append(time.perf_counter() - start)
            sent.answered[request_id] = row


def _give_labels(ws: Workspace, monitor: MonitorSection, rows: pd.DataFrame, sent: Sent) -> Path | None:
    """The outcomes of the rows that were sent, as a file of late labels: in the demo they come at once."""
    import pandas as pd

    if monitor.labels is None or not sent.answered:
        return None
    now = datetime.now(UTC)
    table = pd.DataFrame(
        {
            monitor.request_id: list(sent.answered),
            monitor.label: rows[monitor.label].iloc[list(sent.answered.values())].to_numpy(),
            "observed_at": pd.Timestamp(now).as_unit("ns"),
        }
    )
    file = ws.settings.path(monitor.labels) / f"{now:%Y-%m-%d}.replayed-{now:%H%M%S%f}.parquet"
    draft = file.with_suffix(".tmp")
    table.to_parquet(draft, index=False)
    return draft.replace(file)
