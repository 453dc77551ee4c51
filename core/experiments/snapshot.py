"""Whole experiments of a server kept as Parquet, brought up to date by asking only for what can have changed.

Each search asks for runs that started since, runs that were not finished, and for those of a stretch of time, each
search the next one: a finished run can still be tagged, deleted or restored, and one can be brought in from elsewhere
or from a machine whose clock is behind. ``forget`` starts afresh.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.experiments import columns
from core.experiments.rechecking import questions, started_since, without_runs
from core.experiments.rest_rows import run_table
from core.experiments.snapshot_file import Snapshot, cache_folder, load, save
from core.experiments.types import RunTable

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_RUNS = 500
"""As many runs are shown while the others come: a page of a server."""
FRESH_SECONDS = 2.0
SAVED_EVERY = timedelta(minutes=1)
_KINDS = ("metrics", "params", "tags")


class Snapshots:
    """The snapshots of one server, in memory and on disk."""

    def __init__(
        self,
        uri: str,
        fetch: Callable[[Sequence[str], str], Iterable[Mapping[str, Any]]],
        folder: Path | None = None,
    ) -> None:
        """``fetch(experiment_ids, filter)`` gives MLflow's JSON runs; ``folder`` is the cache's root."""
        name = hashlib.sha256(re.sub(r"//[^@/]*@", "//", uri).encode()).hexdigest()[:24]
        self._folder = (folder or cache_folder()) / "runs" / name
        self._fetch = fetch
        self._kept: dict[str, Snapshot] = {}
        self._coming: dict[str, _FirstFetch] = {}
        self._lock = threading.Lock()

    def current(
        self, key: str, ids: Sequence[str], names: Mapping[str, str], *, at_once: bool = False
    ) -> RunTable:
        """The runs of the experiments ``ids`` up to date; ``key`` names the snapshot.

        ``at_once`` gives the first pages of a first fetch (``complete`` is False) while it goes on.
        """
        known = self._kept.get(key) or load(self._file(key))
        if known is None and at_once:
            coming = self._first_fetch(key, ids, names)
            if (partial := coming.so_far()) is not None:
                return partial
        return self._settled(key, ids, names)

    def _first_fetch(self, key: str, ids: Sequence[str], names: Mapping[str, str]) -> _FirstFetch:
        with self._lock:
            if key not in self._coming:
                self._coming[key] = _FirstFetch(self._fetch(ids, ""), names)
            return self._coming[key]

    def _settled(self, key: str, ids: Sequence[str], names: Mapping[str, str]) -> RunTable:
        with self._lock:
            known = self._kept.get(key) or load(self._file(key))
            if known is None and key in self._coming:
                known = Snapshot(self._coming.pop(key).whole(), 0, time.monotonic())
                self._kept[key] = known
            if known and time.monotonic() - known.monotonic < FRESH_SECONDS:
                return known.table
            found = self._refreshed(known, ids, names) if known else self._whole(ids, names)
            if found.saved is None or found.table.as_of - found.saved > SAVED_EVERY:
                save(found, self._file(key))
                found = replace(found, saved=found.table.as_of)
            self._kept[key] = found
            return found.table

    def forget(self) -> None:
        """Drop every snapshot of this server."""
        with self._lock:
            self._kept.clear()
            self._coming.clear()
            for file in (*self._folder.glob("*.parquet"), *self._folder.glob("*.part")):
                file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{re.sub(r'[^0-9A-Za-z]', '_', key)}.parquet"

    def _whole(self, ids: Sequence[str], names: Mapping[str, str]) -> Snapshot:
        as_of = datetime.now(UTC)
        return Snapshot(run_table(_once(self._fetch(ids, "")), names, as_of), 0, time.monotonic())

    def _refreshed(self, known: Snapshot, ids: Sequence[str], names: Mapping[str, str]) -> Snapshot:
        as_of = datetime.now(UTC)
        asked = questions(known.table, known.cursor, as_of)
        found = list(self._fetch(ids, started_since(known.table)))
        for filter in asked.filters:
            found += self._fetch(ids, filter)
        if unseen := without_runs(known.table, ids):
            found += self._fetch(unseen, "")
        changed = run_table(_once(found), names, as_of)
        table = _merged(known.table, changed, asked.about, as_of)
        return Snapshot(_of_experiments(table, ids), asked.cursor, time.monotonic(), known.saved)


class _FirstFetch:
    """A first fetch of whole experiments in a thread of its own; what has come so far can be had meanwhile."""

    def __init__(self, runs: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> None:
        self._names = names
        self._as_of = datetime.now(UTC)
        self._came: list[Mapping[str, Any]] = []
        self._enough, self._done = threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._shown: RunTable | None = None
        threading.Thread(target=self._read, args=(runs,), daemon=True, name="first fetch").start()

    def so_far(self) -> RunTable | None:
        """The runs that have come, as soon as there is a first page; None when all have (or it failed).

        The table is made anew each time their number has doubled: making it costs time that the fetch needs.
        """
        self._enough.wait()
        if self._done.is_set():
            return None
        if self._shown is None or len(self._came) >= 2 * len(self._shown):
            came = run_table(_once(tuple(self._came)), self._names, self._as_of)
            self._shown = replace(came, complete=False)
        return self._shown

    def whole(self) -> RunTable:
        """All runs, when they have come; raises what stopped the fetch."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return run_table(_once(self._came), self._names, self._as_of)

    def _read(self, runs: Iterable[Mapping[str, Any]]) -> None:
        try:
            for run in runs:
                self._came.append(run)
                if len(self._came) >= FIRST_RUNS:
                    self._enough.set()
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the runs
            self._error = error
        finally:
            self._done.set()
            self._enough.set()


def _once(runs: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Each run once: while pages are read, new runs push others onto the next page."""
    return {run["info"]["run_id"]: run for run in runs}.values()


def _merged(old: RunTable, changed: RunTable, gone: set[str], as_of: datetime) -> RunTable:
    """``old`` with ``changed`` runs put in; those of ``gone`` that were not found again have been deleted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    replaced = pa.array(sorted(gone | set(changed.run_ids)), pa.string())

    def kept(table: pa.Table, owners: Any) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(columns.as_array(owners), value_set=replaced)))

    owners = old.attributes["run_id"]
    merged = {
        name: _joined(kept(getattr(old, name), owners), getattr(changed, name))
        for name in ("attributes", *_KINDS)
    }
    datasets = _joined(kept(old.datasets, old.datasets["run_id"]), changed.datasets)
    total = merged["attributes"].num_rows
    return replace(old, **merged, datasets=datasets, total=total, as_of=as_of)


def _joined(old: pa.Table, new: pa.Table) -> pa.Table:
    """The rows of both, columns sorted when they differ; columns that no row uses any more are dropped."""
    import pyarrow as pa

    rows = old.num_rows + new.num_rows
    if old.column_names == new.column_names:
        return pa.concat_tables([old, new]).combine_chunks() if old.num_columns else columns.empty(rows)
    names = sorted({*old.column_names, *new.column_names})
    found = {}
    for name in names:
        kind = (old if name in old.column_names else new)[name].type
        halves = (
            part[name] if name in part.column_names else pa.nulls(part.num_rows, kind) for part in (old, new)
        )
        column = pa.concat_arrays([columns.as_array(half).cast(kind) for half in halves])
        if column.null_count < rows:
            found[name] = column
    return pa.table(found) if found else columns.empty(rows)


def _of_experiments(table: RunTable, ids: Sequence[str]) -> RunTable:
    import pyarrow as pa
    import pyarrow.compute as pc

    inside = pc.is_in(
        columns.as_array(table.attributes["experiment_id"]), value_set=pa.array(ids, pa.string())
    )
    if pc.all(inside).as_py() is not False:
        return table
    return replace(table.take(pc.indices_nonzero(inside)), total=pc.sum(inside).as_py())
