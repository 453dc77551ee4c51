"""Files as they come: odd types, encodings, days that differ. Each is said in words and costs nothing beside it."""

from __future__ import annotations

import decimal
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from core.drift.check import check
from core.drift.export import Contents, to_html
from core.drift.importance import surrogate_importance
from core.drift.monitor import MonitorReport, Status, monitor_report
from core.drift.plain import plain
from core.drift.policy import DEFAULT
from core.drift.present import quality_sentences, report_json
from core.drift.shape import column_shape
from core.drift.sources import open_source
from core.drift.types import ColumnKind, Verdict
from core.drift.watched import column_kinds, open_watched, trend_of
from core.workspace import open_workspace
from tests.watched_workspace import build

RNG = np.random.default_rng(5)
GOOD = RNG.normal(size=300)
PAIR = pa.array(["a", "b"] * 150)
LARGE = 2**60
NOW = datetime(2026, 1, 7, tzinfo=UTC)


def encoded(values: list, kind: pa.DataType | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1] * 150), pa.array(values, kind))


@pytest.mark.parametrize(
    ("before", "now", "kind", "verdict", "said"),
    [
        pytest.param(encoded(["a", None]), PAIR, "constant", "DRIFT", "total", id="null-in-a-dictionary"),
        pytest.param(encoded([1, 2]), encoded([1, 2]), "numeric", "OK", "no drift", id="dictionary-of-numbers"),
        pytest.param(
            encoded([b"x", b"y"]), PAIR, "unsupported", "TYPE CHANGED", "binary to string", id="dictionary-of-bytes",
        ),
        pytest.param(PAIR.cast(pa.string_view()), PAIR, "categorical", "OK", "no drift", id="string-view"),
        pytest.param(
            pa.array(range(300), pa.duration("ms")), pa.array(range(300), pa.duration("s")),
            "numeric", "DRIFT", "D = 0.997", id="duration",
        ),
        pytest.param(
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"] * 300, pa.binary(16))),
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"] * 300, pa.binary(16))),
            "unsupported", "NOT TESTED", "this type cannot be compared", id="uuid",
        ),
        pytest.param(
            pa.RunEndEncodedArray.from_arrays([300], [1.0]), pa.array([1.0] * 300), "constant", "OK", "no drift",
            id="run-end-encoded",
        ),
        pytest.param(
            pa.array([{"a": 1}] * 300), pa.array([[1]] * 300), "unsupported", "NOT TESTED", "this type",
            id="structure-to-list",
        ),
        pytest.param(
            pa.array([decimal.Decimal(10) ** 60] * 300), pa.array([decimal.Decimal(10) ** 60] * 300),
            "constant", "OK", "no drift", id="decimal-of-sixty-digits",
        ),
        pytest.param(
            pa.array([LARGE + n for n in range(300)]), pa.array([LARGE + 300 + n for n in range(300)]),
            "identifier", "NOT TESTED", "identifier", id="integers-beyond-2^53",
        ),
        pytest.param(
            pa.array([LARGE + n % 7 for n in range(300)]), pa.array([LARGE + n % 7 for n in range(300)]),
            "numeric", "OK", "no drift", id="few-integers-beyond-2^53",
        ),
        pytest.param(
            pa.array([np.inf, -np.inf] * 150), pa.array([-np.inf] * 300), "numeric", "DRIFT", "total", id="infinities",
        ),
        pytest.param(
            pa.array([np.nan] * 300), pa.array(GOOD), "empty", "NOT TESTED", "holds some now", id="nan-before",
        ),
        pytest.param(
            pa.array([2**62] * 300, pa.timestamp("s")), pa.array([2**62] * 300, pa.timestamp("s")),
            "datetime", "NOT TESTED", "times move", id="times-beyond-any-calendar",
        ),
        pytest.param(
            pa.array([f"2024-01-{1 + n % 28:02d}" for n in range(300)]), pa.array(["soon"] * 300),
            "datetime", "TYPE CHANGED", "from text in ISO 8601 to string", id="text-that-is-no-time-now",
        ),
        pytest.param(
            pa.array([5e-324, 0.0] * 150), pa.array([-0.0] * 300), "numeric", "DRIFT", "total", id="smallest-number",
        ),
        pytest.param(
            pa.array([1.7e308, -1.7e308] * 150), pa.array([1.7e308, -1.7e308] * 150), "numeric", "OK", "no drift",
            id="largest-numbers",
        ),
    ],
)  # fmt: skip
def test_an_odd_column_is_said_and_costs_nothing(before, now, kind, verdict, said):
    tables = [pa.table({"odd": side, "good": GOOD}) for side in (before, now)]
    report = check(*tables, now=NOW)
    odd = report.column("odd")
    assert (odd.kind, odd.verdict) == (ColumnKind(kind), Verdict(verdict)), odd.reason
    assert said in odd.reason
    assert report.column("good").verdict is Verdict.OK
    assert report_json(report)["columns"][1]["verdict"] == "OK"
    known, seen = (open_source(side) for side in tables)
    column_shape(known, seen, "odd", DEFAULT)
    surrogate_importance(known, np.arange(300), ["odd", "good"], "good", "a test")
    if verdict == "NOT TESTED":
        assert report.reason.endswith("; not tested: odd"), "what was not watched is in the headline"


def test_every_value_that_is_missing_is_counted_as_such():
    nan = pa.table({"a": np.full(300, np.nan)})
    assert quality_sentences(check(nan, nan).column("a")) == ("missing: 300 before, 300 now",)
    exact = pa.table({"a": pa.array([LARGE + n % 7 for n in range(300)])})
    assert "whole numbers beyond 2^53, compared to 16 digits" in quality_sentences(
        check(exact, exact).column("a")
    )
    days = pa.table({"a": [f"2024-01-{1 + n % 28:02d}" for n in range(300)]})
    some = pa.table({"a": ["soon"] * 20 + days["a"].to_pylist()[20:]})
    found = check(days, some).column("a")
    assert (found.verdict, found.quality.missing_current) == (Verdict.NOT_TESTED, 20)


def test_a_column_of_times_of_day_has_no_newest_day():
    noon = pa.table({"a": pa.array(range(300), pa.time32("s"))})
    assert quality_sentences(check(noon, noon).column("a")) == ()


def test_thousands_of_codes_that_were_all_replaced_are_drift():
    """Chi-square pools rare levels, and all of these are rare: another code system in one day of 300 requests."""
    old = pa.table({"code": [f"{n:05d}" for n in RNG.integers(0, 5000, 20_000)]})
    new = pa.table({"code": [f"A{n:05d}" for n in RNG.integers(0, 200, 300)]})
    report = check(old, new)
    assert report.column("code").statistics.chi2.pvalue == 1
    assert report.verdict is Verdict.DRIFT
    flagged = sum(
        check(old, pa.table({"code": [f"{n:05d}" for n in RNG.integers(0, 5000, 300)]})).verdict
        is Verdict.DRIFT
        for _ in range(60)
    )
    assert flagged <= 6, "the same codes, of which a few are new by chance, are none"


def test_names_of_levels_are_short_and_on_one_line():
    before, now = (pa.table({"a": [text] * 300}) for text in ("x\n\x00" + "x" * 9000, "y"))
    report = check(before, now)
    (said, *_) = quality_sentences(report.column("a"))[1:]
    assert len(said) < 100 and said.isprintable()
    assert len(str(report_json(report))) < 3000


def test_a_nested_column_with_a_dot_beside_it_is_not_mistaken(tmp_path):
    both = pa.table({"x": [{"y": 1}] * 300, "x.y": GOOD})
    parquet.write_table(both, tmp_path / "a.parquet")
    assert check(tmp_path / "a.parquet", both).column("x.y").verdict is Verdict.OK


def test_plain_columns_stay_as_they_are():
    column = pa.chunked_array([PAIR.dictionary_encode()])
    assert plain(column) is column


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("sex,ort\nf,Köln\n".encode("latin-1"), "not UTF-8: it was read as Latin-1"),
        (b"sex;ort\nf;Ulm\n", None),
        (b"\xef\xbb\xbfsex,ort\nf,Ulm\n", None),
    ],
    ids=["latin-1", "semicolons", "byte-order-mark"],
)
def test_csv_as_offices_write_it(tmp_path, content, said):
    (tmp_path / "a.csv").write_bytes(content)
    source = open_source(tmp_path / "a.csv")
    assert (source.names, source.rows) == (("sex", "ort"), 1)
    assert source.column("ort").to_pylist()[0] in ("Köln", "Ulm")
    assert [said in finding.message for finding in source.findings] == ([True] if said else [])


def test_numbers_with_a_decimal_comma_are_numbers(tmp_path):
    """As spreadsheets of half of Europe write them; text that only looks a little like it stays text."""
    content = "temp;dose;code;note\n37,5;1;1,2,3;\n-0,25;2;4,5,6;\n;1e3;7,8;\n"
    (tmp_path / "a.csv").write_text(content)
    source = open_source(tmp_path / "a.csv")
    assert source.column("temp").to_pylist() == [37.5, -0.25, None]
    assert source.column("dose").to_pylist() == [1, 2, 1000]
    assert source.column("code").to_pylist() == ["1,2,3", "4,5,6", "7,8"]
    assert source.column("note").null_count == 3


@pytest.fixture(scope="module")
def plain_days(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    build(root, moved=0)
    return root


@pytest.fixture
def root(plain_days, tmp_path):
    import shutil

    return Path(shutil.copytree(plain_days, tmp_path / "odd"))


def day(root: Path, number: int, edit, kind: str = "predictions") -> None:
    file = root / kind / f"2026-01-0{number}.parquet"
    changed = edit(pd.read_parquet(file))
    if isinstance(changed, pa.Table):
        parquet.write_table(changed, file)
    else:
        changed.to_parquet(file)


def every_day(root: Path, edit, kind: str = "predictions") -> None:
    for number in range(1, 7):
        day(root, number, edit, kind)


def report(root: Path) -> MonitorReport:
    found = monitor_report(open_workspace(root), "risk", now=NOW)
    to_html(Contents(found))
    return found


def notes(found: MonitorReport) -> str:
    alerts = found.performance.alerts if found.performance else ()
    return " / ".join([one.message for one in found.drift.schema] + [alert.message for alert in alerts])


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4:600] = b"\xff" * 596
    file.write_bytes(content)


def test_a_day_whose_pages_are_damaged_costs_that_column_of_that_day(root):
    damaged(root / "predictions" / "2026-01-02.parquet")
    found = report(root)
    assert found.status is Status.OK
    assert "Column 'age' of 2026-01-02.parquet cannot be read (OSError)." in notes(found)
    windows = {part.name: part.report for part in trend_of(open_watched(open_workspace(root), "risk"))}
    assert windows["2026-01-02"].column("age").verdict is Verdict.NO_DATA
    assert windows["2026-01-02"].column("site").verdict is Verdict.OK
    damaged(root / "train.parquet")
    found = report(root)
    assert found.drift.column("age").reason == "Column 'age' of train.parquet cannot be read (OSError)"
    assert found.drift.column("site").verdict is Verdict.OK
    kinds = column_kinds(open_watched(open_workspace(root), "risk"))
    assert kinds["age"].kind is ColumnKind.UNSUPPORTED


def test_days_that_hold_a_column_in_other_types_cost_no_other_day(root):
    day(root, 1, lambda log: log.assign(age=log.age.astype(str), timestamp=log.timestamp.astype(str)))
    day(root, 2, lambda log: log.assign(age=[[1]] * len(log), timestamp=log.timestamp.dt.tz_localize(None)))
    day(
        root, 3,
        lambda log: (table := pa.Table.from_pandas(log, preserve_index=False)).set_column(
            table.column_names.index("age"), "age", table["age"].cast(pa.decimal128(30, 10), safe=False)
        ),
    )  # fmt: skip
    day(root, 4, lambda log: log.assign(model_version=1.0))
    found = report(root)
    assert found.status is Status.OK, found.reason
    assert "Column 'age' is string in 2026-01-01.parquet and 1 more files, double in most rows" in notes(
        found
    )
    windows = {
        part.name: part.report.column("age") for part in trend_of(open_watched(open_workspace(root), "risk"))
    }
    assert [windows[f"2026-01-0{number}"].verdict.value for number in range(1, 7)] == [
        "TYPE CHANGED", "TYPE CHANGED", "OK", "OK", "OK", "OK",
    ]  # fmt: skip
    assert "what reads as a number was compared" in windows["2026-01-01"].reason


def test_what_was_odd_in_one_file_is_said_of_the_folder(root):
    day(
        root,
        3,
        lambda log: pa.Table.from_pandas(log, preserve_index=False).append_column("age", pa.array(log.age)),
    )
    assert "2 columns are called 'age': the first was compared." in notes(report(root))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda labels: labels.drop(columns="label"), "The labels have no column 'label'"),
        (lambda labels: labels.assign(label=[[1]] * 300), "column 'label' holds lists or structures"),
        (lambda labels: labels.drop(columns="request_id"), "The labels have no column 'request_id'"),
    ],
    ids=["no-label", "lists", "no-request"],
)
def test_labels_that_cannot_be_used_cost_neither_drift_nor_estimates(root, edit, said):
    every_day(root, lambda log: log.assign(age=log.age + 20))
    every_day(root, edit, "labels")
    found = report(root)
    assert found.status is Status.DRIFT
    assert said in notes(found) and len(found.performance.windows) == 6
    every_day(root, lambda log: log.assign(age=log.age - 20))
    found = report(root)
    assert found.status is Status.INCONCLUSIVE and "how good it is cannot be told" in found.reason


@pytest.mark.parametrize(
    ("edit", "metrics", "said"),
    [
        (lambda log: log.assign(score=log.score * 100), {"accuracy"}, "scores outside 0 to 1: 1785; they are left out"),
        (lambda log: log.assign(score=log.score.astype(str) + "%"), {"accuracy"}, "scores that are no numbers: 1800"),
        (lambda log: log.assign(score=[[0.1, 0.9]] * 300), {"accuracy"}, "'score' holds lists or structures"),
        (lambda log: log.assign(prediction="sick"), {"auroc"}, "of different kinds (text and numbers)"),
        (lambda log: log.assign(prediction=[[1]] * 300), {"auroc", "accuracy"}, "'prediction' holds lists"),
        (lambda log: log.assign(model_version=[[1]] * 300), {"auroc", "accuracy"}, "'model_version' holds lists"),
        (lambda log: log.assign(request_id=None), set(), "requests without an id: 1800"),
        (
            lambda log: log.assign(timestamp=log.timestamp.astype("datetime64[s, UTC]").astype("int64")), {"auroc"},
            "read as seconds since 1970",
        ),
        (
            lambda log: log.assign(timestamp=log.timestamp.dt.strftime("%Y%m%d").astype(int)), {"auroc"},
            "read as year, month and day",
        ),
    ],
    ids=["percent", "percent-signs", "pairs", "text", "lists", "versions", "no-id", "epoch", "days"],
)  # fmt: skip
def test_odd_answers_are_said_and_what_is_left_is_measured(root, edit, metrics, said):
    every_day(root, edit)
    found = report(root)
    last = found.performance.windows[-1]
    assert said in notes(found)
    assert metrics <= set(last.metrics) and ("auroc" in last.metrics) == ("auroc" in metrics)
    assert len(found.performance.windows) == 6 and last.name == "2026-01-06"


def test_a_missing_answer_is_not_a_no(root):
    every_day(
        root, lambda log: log.assign(prediction=log.prediction.astype("Int64").where(log.index % 2 == 0))
    )
    half = report(root).performance.windows[-1].metrics["accuracy"]
    assert 0.6 < half.value < 0.9


def test_yes_and_no_are_compared_with_one_and_nought(root):
    day(root, 6, lambda labels: labels.assign(label=labels.label == 1), "labels")
    day(root, 5, lambda labels: labels.assign(label=labels.label.astype(str)), "labels")
    assert report(root).performance.windows[-1].metrics["accuracy"].value > 0.6


def test_a_clock_that_runs_ahead_does_not_become_the_newest_day(root):
    day(root, 5, lambda log: log.assign(timestamp=log.timestamp + pd.Timedelta(days=9000)))
    found = report(root)
    assert found.window == "2026-01-06" and "timestamps in the future: 300" in notes(found)
    far = pa.array([2**59] * 300, pa.timestamp("ms", tz="UTC"))
    day(
        root, 4,
        lambda log: pa.Table.from_pandas(
            log.drop(columns="timestamp"), preserve_index=False
        ).append_column("timestamp", far),
    )  # fmt: skip
    assert "rows without a readable timestamp: 300" in notes(report(root))
