"""A server's runs kept as Parquet: what a second look asks for, and that it ends where a full one would."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from core.errors import Unavailable
from core.experiments import snapshot
from core.experiments.histories import m4
from core.experiments.snapshot import Snapshots


class Server:
    """MLflow's JSON runs, and the filters it was asked with."""

    def __init__(self) -> None:
        self.runs: dict[str, dict] = {}
        self.asked: list[str] = []

    def log(self, number: int, metric: float | None, end: int | None = 1, **tags: str) -> None:
        info = {"run_id": f"{number:032x}", "run_name": f"r{number}", "experiment_id": "1", "status": "FINISHED",
                "start_time": number * 1_000_000, "end_time": end and number * 1_000_000 + end}  # fmt: skip
        metrics = [] if metric is None else [{"key": "auroc", "value": metric}]
        data = {"metrics": metrics, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
        self.runs[info["run_id"]] = {"info": info, "data": data}

    def fetch(self, ids, filter):
        self.asked.append(filter)
        if ">=" in filter:
            since = int(filter.split(">= ")[1])
            return [run for run in self.runs.values() if run["info"]["start_time"] >= since]
        ended = "!= 'RUNNING'" in filter
        return [
            run
            for run_id, run in self.runs.items()
            if not filter or (run_id in filter and not (ended and run["info"]["end_time"] is None))
        ]


def look(server, folder) -> dict[str, tuple]:
    table = Snapshots("http://server", server.fetch, folder).current("1", ("1",), {"1": "risk"})
    return {run.name: (run.metrics.get("auroc"), dict(run.tags)) for run in table.runs()}


def test_a_second_visit_asks_only_for_what_can_have_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "RECHECKED", 2)
    server = Server()
    for number in range(1, 7):
        server.log(number, number / 10, end=None if number == 3 else 1)
    first = look(server, tmp_path)
    assert server.asked == [""] and len(first) == 6
    server.log(7, None, note="new")
    server.log(3, 0.99)
    del server.runs[f"{1:032x}"]
    server.asked.clear()
    second = look(server, tmp_path)
    assert "" not in server.asked and len(server.asked) == 3
    assert second == {**{name: value for name, value in first.items() if name != "r1"},
                      "r7": (None, {"note": "new"}), "r3": (0.99, {})}  # fmt: skip


def test_the_rolling_check_reaches_every_finished_run(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "RECHECKED", 2)
    monkeypatch.setattr(snapshot, "FRESH_SECONDS", 0)
    server = Server()
    for number in range(1, 7):
        server.log(number, number / 10)
    kept = Snapshots("http://server", server.fetch, tmp_path)
    kept.current("1", ("1",), {"1": "risk"})
    for number in range(1, 7):
        server.log(number, number / 10, note="late")
    for _ in range(6):
        table = kept.current("1", ("1",), {"1": "risk"})
    assert table.tags["note"].to_pylist() == ["late"] * 6


def test_of_a_run_that_has_been_running_for_long_only_its_end_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "RECHECKED", 0)
    server = Server()
    for number in range(1, 4):
        server.log(number, number / 10, end=None if number < 3 else 1)
    look(server, tmp_path)
    server.log(1, 0.9, end=1)
    server.log(2, 0.8, end=None)
    server.asked.clear()
    assert look(server, tmp_path) == {"r1": (0.9, {}), "r2": (0.2, {}), "r3": (0.3, {})}
    assert [filter for filter in server.asked if "run_id" in filter] == [
        f"attributes.status != 'RUNNING' AND attributes.run_id IN ('{1:032x}', '{2:032x}')"
    ]


def test_a_first_page_is_there_while_the_rest_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "FIRST_RUNS", 2)
    server, go_on = Server(), threading.Event()
    for number in range(1, 7):
        server.log(number, number / 10)

    def slowly(ids, filter):
        for position, run in enumerate(server.fetch(ids, filter)):
            if position == 3:
                assert go_on.wait(30)
            yield run

    kept = Snapshots("http://server", slowly, tmp_path)
    first = kept.current("1", ("1",), {"1": "risk"}, at_once=True)
    assert (first.complete, len(first) in (2, 3)) == (False, True)
    go_on.set()
    whole = kept.current("1", ("1",), {"1": "risk"})
    assert whole.complete and len(whole) == 6
    assert kept.current("1", ("1",), {"1": "risk"}, at_once=True).complete
    assert server.asked == [""], "who waits takes what is already on its way"


def test_a_first_fetch_that_fails_says_so_and_is_tried_again(tmp_path):
    answers = [Unavailable("The server went away."), {}]

    def fetch(ids, filter):
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return iter(())
        yield

    kept = Snapshots("http://server", fetch, tmp_path)
    with pytest.raises(Unavailable, match="went away"):
        kept.current("1", ("1",), {"1": "risk"}, at_once=True)
    assert len(kept.current("1", ("1",), {"1": "risk"}, at_once=True)) == 0


def test_a_run_that_moves_to_the_next_page_while_pages_are_read_is_there_once(tmp_path):
    server = Server()
    server.log(1, 0.5)
    kept = Snapshots(
        "http://server", lambda ids, filter: [*server.fetch(ids, ""), *server.fetch(ids, "")], tmp_path
    )
    assert len(kept.current("1", ("1",), {"1": "risk"})) == 1


def test_a_damaged_snapshot_is_fetched_again(tmp_path):
    server = Server()
    server.log(1, 0.5)
    look(server, tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"broken")
    assert look(server, tmp_path) == {"r1": (0.5, {})}


def test_m4_keeps_what_a_line_shows():
    steps = np.arange(10_000)
    values = np.sin(steps / 50.0)
    values[[17, 5_003]] = (9.0, -9.0)
    values[6_000:6_100] = np.nan
    kept = m4(steps, values, 400)
    assert len(kept) <= 400 and kept[0] == 0 and kept[-1] == 9_999
    assert {17, 5_003} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
