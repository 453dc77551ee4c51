"""A server's runs kept as Parquet: what a second look asks for, and that it ends where a full one would."""

from __future__ import annotations

import operator
import re
import resource
import signal
import threading
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import Unavailable
from core.experiments import rechecking, snapshot
from core.experiments.histories import m4
from core.experiments.snapshot import Snapshots


class Server:
    """MLflow's JSON runs, and the filters it was asked with."""

    def __init__(self) -> None:
        self.runs: dict[str, dict] = {}
        self.asked: list[str] = []

    def log(
        self, number: int, metric: float | None, end: int | None = 1, place: str = "1", **tags: str
    ) -> None:
        info = {"run_id": f"{number:032x}", "run_name": f"r{number}", "experiment_id": place, "status": "FINISHED",
                "start_time": number * 1_000_000, "end_time": end and number * 1_000_000 + end}  # fmt: skip
        metrics = [] if metric is None else [{"key": "auroc", "value": metric}]
        data = {"metrics": metrics, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
        self.runs[info["run_id"]] = {"info": info, "data": data}

    def fetch(self, ids, filter):
        self.asked.append(filter)
        runs = [run for run in self.runs.values() if run["info"]["experiment_id"] in ids]
        if bounds := re.findall(r"start_time (>=|<=) (-?\d+)", filter):
            compare = {">=": operator.ge, "<=": operator.le}
            return [
                run
                for run in runs
                if all(compare[sign](run["info"]["start_time"], int(time)) for sign, time in bounds)
            ]
        ended = "!= 'RUNNING'" in filter
        return [
            run
            for run in runs
            if not filter
            or (run["info"]["run_id"] in filter and not (ended and run["info"]["end_time"] is None))
        ]


def look(server, folder) -> dict[str, tuple]:
    table = Snapshots("http://server", server.fetch, folder).current("1", ("1",), {"1": "risk"})
    return {run.name: (run.metrics.get("auroc"), dict(run.tags)) for run in table.runs()}


def test_a_second_visit_asks_only_for_what_can_have_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(rechecking, "RECHECKED", 2)
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
    monkeypatch.setattr(rechecking, "RECHECKED", 2)
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
    monkeypatch.setattr(rechecking, "RECHECKED", 0)
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


def test_runs_that_began_before_known_ones_are_found_too(tmp_path, monkeypatch):
    """From a machine whose clock is behind, brought in from another server, restored, or in a restored experiment."""
    monkeypatch.setattr(rechecking, "RECHECKED", 2)
    monkeypatch.setattr(snapshot, "FRESH_SECONDS", 0)
    server, names = Server(), {"1": "risk", "2": "restored"}
    for number in range(10, 40):
        server.log(number, number / 100)
    kept = Snapshots("http://server", server.fetch, tmp_path)
    kept.current("all", ("1",), names)
    for number, start, place in ((1, 1, "1"), (155, 15.5, "1"), (175, 17.5, "2")):
        server.log(number, 0.5, place=place)
        server.runs[f"{number:032x}"]["info"]["start_time"] = int(start * 1_000_000)
    assert f"{175:032x}" in kept.current("all", ("1", "2"), names).run_ids
    found = {run_id for _ in range(16) for run_id in kept.current("all", ("1", "2"), names).run_ids}
    assert found == set(server.runs)


def test_a_run_that_starts_in_the_future_hides_no_other(tmp_path):
    server = Server()
    server.log(4_000_000, 0.5)  # in the year 2096
    for number in range(1, 200):
        server.log(number, 0.5)
    look(server, tmp_path)
    server.log(1_900_000, 0.6)  # 2030: after now
    assert "r1900000" in look(server, tmp_path)


def test_many_runs_of_one_moment_are_looked_at_by_their_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(rechecking, "RECHECKED", 2)
    server = Server()
    for number in range(1, 30):
        server.log(number, 0.5)
        server.runs[f"{number:032x}"]["info"]["start_time"] = 1_000
    look(server, tmp_path)
    server.asked.clear()
    look(server, tmp_path)
    assert [filter.count("'") for filter in server.asked] == [0, 4]


@pytest.mark.parametrize("damage", ["cut", "filled", "foreign", "emptied", "changed"])
def test_a_damaged_snapshot_is_fetched_again(tmp_path, damage):
    server = Server()
    for number in range(1, 200):
        server.log(number, number / 7)
    whole = look(server, tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    content = file.read_bytes()
    if damage == "foreign":
        about = {"modeldesk": '["of", "another", "program"]'}
        pq.write_table(pa.table({"attributes.run_id": ["a"]}).replace_schema_metadata(about), file)
    else:
        middle = len(content) // 3
        file.write_bytes({"cut": content[:middle], "filled": b"\0" * len(content), "emptied": b"",
                          "changed": content[:middle] + bytes(255 - byte for byte in content[middle : middle + 9])
                          + content[middle + 9 :]}[damage])  # fmt: skip
    server.asked.clear()
    assert look(server, tmp_path) == whole and "" in server.asked


def test_a_disk_that_is_full_or_no_folder_costs_only_the_head_start(tmp_path):
    server = Server()
    for number in range(1, 200):
        server.log(number, number / 7)
    (tmp_path / "file").write_text("no folder")
    whole = look(server, tmp_path / "file")
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, allowed[1]))
        assert look(server, tmp_path) == whole
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
        signal.signal(signal.SIGXFSZ, before)
    assert not [*tmp_path.rglob("*.p*")]
    look(server, tmp_path)
    assert [*tmp_path.rglob("*.parquet")]


def test_two_who_refresh_the_same_snapshot_leave_one_that_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "SAVED_EVERY", timedelta(0))
    server, both = Server(), threading.Barrier(2)
    for number in range(1, 300):
        server.log(number, number / 7)
    found = []

    def refresh():
        for _ in range(5):
            both.wait(30)
            found.append(look(server, tmp_path))

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10 and all(each == found[0] for each in found)
    server.asked.clear()
    assert look(server, tmp_path) == found[0] and "" not in server.asked
    assert not [*tmp_path.rglob("*.part")]


def test_m4_keeps_what_a_line_shows():
    steps = np.arange(10_000)
    values = np.sin(steps / 50.0)
    values[[17, 5_003]] = (9.0, -9.0)
    values[6_000:6_100] = np.nan
    kept = m4(steps, values, 400)
    assert len(kept) <= 400 and kept[0] == 0 and kept[-1] == 9_999
    assert {17, 5_003} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
