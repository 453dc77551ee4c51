"""What a served model was asked and answered, as Parquet by day: written beside the request, never on its way.

The request path puts raw bytes into a bounded queue and goes on; one thread parses, applies the privacy policy
and writes. A full queue or disk costs rows of the log and never an answer. Only columns of the model's
signature are written, minus those that the policy drops; the layout is the one that core/drift reads.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.deploy.scored_rows import prediction_column, predictions_of, rows_of, typed
from core.privacy import identifier_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from core.deploy.model_files import Column

VARIABLE = "MODELDESK_LOG"
FLUSH_S = 2.0
QUEUE_ROWS = 20_000
FILE_ROWS = 5_000
ASSIGNED, LATENCY = "assigned", "latency_ms"
"""Columns beside features, prediction and score: who was assigned (a keyed hash), and how long it took."""
_ID = re.compile(r"^[\w.:@/+=-]{1,128}$")

Scorer = Callable[["pd.DataFrame"], Sequence[float]]
"""Class-1 probabilities of rows that hold the signature's columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Where one slot writes, how much, and what must not be written."""

    folder: str
    name: str
    key_file: str
    share: float
    drop: tuple[str, ...]
    hash: tuple[str, ...]

    def text(self) -> str:
        """For the server's environment."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> LogConfig:
        """What :meth:`text` wrote."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(text).items()})


@dataclass(frozen=True, slots=True)
class Asked:
    """One answered request, unparsed."""

    request_id: str
    at: float
    seconds: float
    unit: str
    body: bytes
    answer: bytes


def request_id_of(given: str) -> str:
    """The caller's id when it is one, else a new one."""
    return given if _ID.match(given) else secrets.token_hex(12)


def scorer_of(raw: Any) -> Scorer | None:
    """Probabilities of class 1 by a two-class scikit-learn model, of which a server answers the class; else None."""
    if not hasattr(raw, "predict_proba") or len(getattr(raw, "classes_", ())) != 2:
        return None
    return lambda rows: raw.predict_proba(rows)[:, 1]


class ServedLog:
    """The log of one server process."""

    def __init__(
        self, config: LogConfig, version: int, columns: Iterable[Column], score: Scorer | None = None
    ) -> None:
        self._config = config
        self._version = version
        self._score = score
        self._key = Path(config.key_file).read_bytes()
        self._columns = tuple(columns)
        self._written = tuple(c for c in self._columns if not self._dropped(c.name))
        self._queue: queue.Queue[Asked] = queue.Queue(QUEUE_ROWS)
        self._lost = 0
        self._stop = threading.Event()
        self._file: tuple[str, int, pa.Table] | None = None
        self._number = 0
        self._thread = threading.Thread(target=self._work, name="served-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, patience_s: float = 5.0) -> None:
        """Write what is waiting and stop."""
        self._stop.set()
        self._thread.join(patience_s)

    def keeps(self, request_id: str) -> bool:
        """Whether a request belongs to the sample; the same for the same id, in every process."""
        share = self._config.share
        return share >= 1 or int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:4]) < share * 2**32

    def offer(self, asked: Asked) -> None:
        """Take a request to be written; never waits."""
        try:
            self._queue.put_nowait(asked)
        except queue.Full:
            self._lost += 1

    def _work(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        waiting: list[Asked] = []
        while len(waiting) < QUEUE_ROWS:
            try:
                waiting.append(self._queue.get_nowait())
            except queue.Empty:
                break
        by_day: dict[str, list[Asked]] = {}
        for asked in waiting:
            by_day.setdefault(f"{datetime.fromtimestamp(asked.at, UTC):%Y-%m-%d}", []).append(asked)
        for day, entries in by_day.items():
            try:
                self._write(day, self._table(entries))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the log, the model goes on answering
                self._lost += len(entries)
                print(f"prediction log: {len(entries)} rows lost ({type(error).__name__})", flush=True)
        if self._lost:
            print(f"prediction log: {self._lost} requests could not be kept so far", flush=True)

    def _write(self, day: str, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = Path(self._config.folder)
        folder.mkdir(parents=True, exist_ok=True)
        if self._file is None or self._file[0] != day or self._file[2].num_rows >= FILE_ROWS:
            self._number += 1
            self._file = (day, self._number, table)
        else:
            self._file = (day, self._number, pa.concat_tables([self._file[2], table]))
        name = f"{day}.served-{self._config.name}-{os.getpid()}-{self._number:04d}.parquet"
        draft = folder / f".{name}.tmp"
        pq.write_table(self._file[2], draft)
        draft.replace(folder / name)

    def _table(self, entries: Sequence[Asked]) -> pa.Table:
        import pyarrow as pa

        rows: list[Mapping[str, Any]] = []
        about: list[tuple[str, Asked, Any]] = []
        for asked in entries:
            asked_rows, predictions = rows_of(asked.body), predictions_of(asked.answer)
            for i in range(max(len(asked_rows), len(predictions), 1)):
                name = asked.request_id if len(asked_rows) <= 1 else f"{asked.request_id}#{i}"
                rows.append(asked_rows[i] if i < len(asked_rows) else {})
                about.append((name, asked, predictions[i] if i < len(predictions) else None))
        whole = {c.name: typed([row.get(c.name) for row in rows], c.type) for c in self._columns}
        columns = {
            "request_id": pa.array([name for name, _, _ in about], pa.large_string()),
            "timestamp": pa.array([int(a.at * 1e9) for _, a, _ in about], pa.timestamp("ns", "UTC")),
            "model_version": pa.array([str(self._version)] * len(about), pa.large_string()),
        }
        columns |= {c.name: self._policy(c.name, whole[c.name]) for c in self._written}
        columns["prediction"] = prediction_column(value for _, _, value in about)
        if self._score is not None:
            columns["score"] = self._scores(whole)
        columns[LATENCY] = pa.array([a.seconds * 1000 for _, a, _ in about], pa.float64())
        columns[ASSIGNED] = pa.array([self._hash(a.unit) for _, a, _ in about], pa.large_string())
        return pa.table(columns)

    def _dropped(self, name: str) -> bool:
        hashed = _matches(name, self._config.hash)
        return _matches(name, self._config.drop) or (not hashed and bool(identifier_columns([name])))

    def _policy(self, name: str, values: pa.Array) -> pa.Array:
        import pyarrow as pa

        if not _matches(name, self._config.hash):
            return values
        hashed = [None if v is None else self._hash(str(v)) for v in values.to_pylist()]
        return pa.array(hashed, pa.large_string())

    def _hash(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:16] if value else ""

    def _scores(self, whole: Mapping[str, pa.Array]) -> pa.Array:
        import pyarrow as pa

        return pa.array(self._score(pa.table(dict(whole)).to_pandas()), pa.float64())


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
