"""The prediction log: what is written, what never is, and what it does when it cannot keep up."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deploy import paths, served_files, served_log
from core.deploy.model_files import Column
from core.deploy.scored_rows import predictions_of, rows_of
from core.deploy.served_log import Asked, LogConfig, ServedLog

COLUMNS = (
    Column("patient_id", "string", True),
    Column("age", "double", True),
    Column("ward", "string", False),
    Column("visits", "long", False),
)
AT = 1_795_600_000.5


def log_in(home: Path, **changes: object) -> ServedLog:
    key = home / "log.key"
    key.write_bytes(b"k" * 32)
    values = {"folder": str(home), "name": "01234567-a", "key_file": str(key), "share": 1.0}
    values |= {"drop": ("visits*",), "hash": ("WARD",)} | changes
    return ServedLog(LogConfig(**values), 8, COLUMNS, lambda rows: rows["age"] / 100)


def asked(request_id: str, rows: list[dict], predictions: list, at: float = AT) -> Asked:
    body = json.dumps({"dataframe_records": rows}).encode()
    return Asked(request_id, at, 0.012, "person-1", body, json.dumps({"predictions": predictions}).encode())


def written(log: ServedLog, folder: Path, *entries: Asked) -> list[dict]:
    log.start()
    for entry in entries:
        log.offer(entry)
    log.close()
    return [row for file in served_files.own_files(folder) for row in pq.read_table(file).to_pylist()]


def test_a_request_becomes_a_row_without_its_identifiers(tmp_path: Path) -> None:
    row = {"patient_id": "p-17", "age": 61, "ward": "north", "visits": 2, "note": "not in the signature"}
    (found,) = written(log_in(tmp_path), tmp_path, asked("r1", [row], [1]))
    assert found["request_id"] == "r1" and found["model_version"] == "8"
    assert found["age"] == 61.0 and found["prediction"] == 1
    assert found["score"] == pytest.approx(0.61) and found["latency_ms"] == pytest.approx(12)
    assert not {"patient_id", "visits", "note"} & set(found)
    assert found["ward"] not in ("north", "") and len(found["ward"]) == 16
    text = b"".join(file.read_bytes() for file in tmp_path.glob("*.parquet"))
    assert b"p-17" not in text and b"person-1" not in text and b"north" not in text


def test_rows_of_one_request_and_two_days(tmp_path: Path) -> None:
    entries = (
        asked("r1", [{"age": 1}, {"age": None}], [0, 1]),
        asked("r2", [{"age": 3}], [1], at=AT + 86_400),
    )
    found = written(log_in(tmp_path), tmp_path, *entries)
    assert [row["request_id"] for row in found] == ["r1#0", "r1#1", "r2"]
    assert [row["age"] for row in found] == [1.0, None, 3.0]
    names = [file.name[:10] for file in served_files.own_files(tmp_path)]
    assert len(names) == 2 and names[0] < names[1]


def test_values_of_other_types_cost_the_column_not_the_log(tmp_path: Path) -> None:
    found = written(log_in(tmp_path), tmp_path, asked("r1", [{"age": "old", "ward": 7}], [1]))
    assert found[0]["age"] is None and found[0]["prediction"] == 1


def test_a_full_queue_drops_rows_and_never_waits(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(served_log, "QUEUE_ROWS", 2)
    found = written(log_in(tmp_path), tmp_path, *[asked(f"r{i}", [{"age": i}], [0]) for i in range(5)])
    assert len(found) == 2
    assert "3 requests could not be kept" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys) -> None:
    (tmp_path / "taken").write_text("a file")
    log = log_in(tmp_path, folder=str(tmp_path / "taken"))
    assert written(log, tmp_path, asked("r1", [{"age": 1}], [0])) == []
    assert "1 rows lost" in capsys.readouterr().out


def test_retention_deletes_own_old_files_alone(tmp_path: Path) -> None:
    for name in (
        "2026-01-01.parquet",
        "2026-01-01.served-01234567-a-1-0001.parquet",
        "2026-11-24.served-01234567-a-1-0001.parquet",
    ):
        (tmp_path / name).write_bytes(b"")
    assert served_files.prune(tmp_path, 30, date(2026, 11, 25)) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "2026-01-01.parquet",
        "2026-11-24.served-01234567-a-1-0001.parquet",
    ]


@given(st.floats(0.05, 0.95))
def test_the_sample_is_near_its_share_and_the_same_everywhere(share: float) -> None:
    log = ServedLog.__new__(ServedLog)
    log._config = LogConfig(folder="", name="", key_file="", share=share, drop=(), hash=())
    kept = [log.keeps(f"request-{i}") for i in range(2000)]
    assert abs(sum(kept) / 2000 - share) < 0.05
    assert kept[:50] == [log.keeps(f"request-{i}") for i in range(50)]


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "columns", "data",
                         "predictions"]), inner, max_size=3),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_are_read_without_a_crash(body: bytes) -> None:
    assert isinstance(rows_of(body), list) and isinstance(predictions_of(body), list)


def test_an_id_that_is_none_is_replaced() -> None:
    assert served_log.request_id_of("abc-1:2") == "abc-1:2"
    for bad in ("", "a b", "x" * 200, "a\r\nb"):
        assert served_log.request_id_of(bad) != bad


def test_a_secret_is_made_once_by_many_and_is_never_seen_half_written(tmp_path: Path) -> None:
    """Slots start at once: each reads the key that the log of the others is written with."""
    file = tmp_path / "log.key"
    barrier = threading.Barrier(8)

    def make(number: int) -> bytes:
        barrier.wait()
        return paths.secret(file, bytes([number]) * 32)

    for _ in range(40):
        with ThreadPoolExecutor(8) as pool:
            (found,) = set(pool.map(make, range(8)))
        assert len(found) == 32 and file.read_bytes() == found
        assert file.stat().st_mode & 0o777 == 0o600 and list(tmp_path.iterdir()) == [file]
        file.unlink()
