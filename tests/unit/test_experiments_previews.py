"""What of a run's files and metrics may be seen: never a row, never a small count, never a script that runs."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core.errors import BadInput
from core.experiments import columns
from core.experiments.preview import Preview, boxed, preview_of, without_small_counts
from core.experiments.table_summary import is_json_table, summary
from core.experiments.told import told_metrics, told_table
from core.experiments.types import Artifact, RunTable


@pytest.mark.parametrize(
    ("path", "size", "kind"),
    [
        ("roc.png", 9_000, Preview.IMAGE),
        ("notes.md", 10, Preview.TEXT),
        ("model/MLmodel", 10, Preview.TEXT),
        ("report.HTML", 10, Preview.HTML),
        ("predictions.parquet", 10, Preview.TABLE),
        ("results.json", 10, Preview.JSON),
        ("model/input_example.json", 10, Preview.NONE),
        ("drawing.svg", 10, Preview.NONE),
        ("model.pkl", 10, Preview.NONE),
        ("huge.png", 2 * 1024**3, Preview.NONE),
        ("huge.csv", 2 * 1024**3, Preview.NONE),
    ],
)
def test_what_is_shown_as_what(path: str, size: int, kind: Preview):
    found, reason = preview_of(Artifact(path=path, is_dir=False, size=size))
    assert found is kind
    assert bool(reason) is (kind is Preview.NONE)


def test_html_cannot_leave_its_box():
    page = boxed('<script>alert(1)</script></iframe><img src="http://evil.example/x">')
    assert 'sandbox=""' in page and "default-src &#x27;none&#x27;" in page
    assert "<script>" not in page and page.count("</iframe>") == 1


def test_counts_in_json_are_hidden_when_small():
    assert without_small_counts({"tn": 400, "fp": 3, "fn": 20, "tp": 80}) == dict.fromkeys(
        ("tn", "fp", "fn", "tp"), "hidden"
    )
    assert without_small_counts({"tn": 400, "fp": 30, "auroc": 0.9}) == {"tn": 400, "fp": 30, "auroc": 0.9}
    assert without_small_counts({"matrix": [[400, 3], [20, 80]], "folds": [1, 2]}) == {
        "matrix": "hidden",
        "folds": [1, 2],
    }
    assert without_small_counts([[400, 30], [20, 80]]) == [[400, 30], [20, 80]]
    assert without_small_counts({"female": {"n": 4, "sensitivity": 0.75}})["female"]["n"] == "<11"
    assert without_small_counts({"deep": [{"tp": 2}], "flag": True}) == {
        "deep": [{"tp": "hidden"}],
        "flag": True,
    }


def test_records_in_json_are_rows():
    assert (
        is_json_table([{"age": 1}, {"age": 2}])
        and not is_json_table([1, {"age": 2}])
        and not is_json_table([])
    )
    found = summary("failures.json", b'[{"patient_id": "p1", "labs": {"crp": 3.5}}]')
    assert found.rows == "<11" and [column.name for column in found.columns] == ["patient_id", "labs.crp"]
    nested = {
        "worst": [{"patient_id": "p1", "crp": 3.5}],
        "cases": [{"ward": "A"}],
        "curve": [{"fpr": 0.1, "tpr": 0.5}],
    }
    assert without_small_counts(nested) == {
        "worst": "hidden",
        "cases": "hidden",
        "curve": [{"fpr": 0.1, "tpr": 0.5}],
    }


def table(**extra) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = {
        "patient_id": [f"p{row}" for row in range(200)],
        "age": rng.normal(60, 9, 200),
        "label": [1] * 4 + [0] * 196,
    }
    return pd.DataFrame(frame | extra)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl", "json"])
def test_a_table_tells_its_columns_and_nobody(suffix: str):
    frame = table(rare=[1.0] * 3 + [None] * 197)
    out = io.BytesIO()
    if suffix == "parquet":
        frame.to_parquet(out)
    elif suffix == "jsonl":
        frame.to_json(out, orient="records", lines=True)
    elif suffix == "json":
        out.write(json.dumps(frame.replace({np.nan: None}).to_dict("split")).encode())
    else:
        frame.to_csv(out, index=False, sep="\t" if suffix == "tsv" else ",")
    found = summary(f"rows.{suffix}", out.getvalue())
    told = {column.name: column for column in found.columns if column.name != "index"}
    assert found.rows == 200
    assert (told["patient_id"].kind, told["patient_id"].mean) == ("identifier", None)
    assert told["age"].mean == pytest.approx(frame["age"].mean()) and told["age"].missing == 0
    assert told["label"].mean is None, "the mean of a code and the number of rows give a count of 4"
    assert "<11" in (told["rare"].present, told["rare"].missing) or told["rare"].present == "hidden"
    assert "p17" not in str(found)


def test_what_is_no_table_is_a_sentence():
    with pytest.raises(BadInput, match="cannot be read as a table"):
        summary("x.parquet", b"nothing")
    assert is_json_table({"columns": ["a"], "data": [[1]]}) and not is_json_table({"columns": 3})


def test_metrics_that_count_few_people_are_left_out_everywhere():
    assert told_metrics({"test/tp": 3.0, "test/fp": 40.0, "auroc": 0.9}) == {"auroc": 0.9}
    ids = pa.array(["a", "b"])
    frame = columns.attributes(
        {
            name: ids
            for name in columns.attribute_schema().names
            if name not in ("start_time", "end_time", "duration_s")
        }
        | {"start_time": pa.array([0, 0]), "end_time": pa.array([1, 1])}
    )
    metrics = pa.table({"tp": [3.0, 90.0], "fp": [40.0, 50.0], "auroc": [0.9, 0.8]})
    found = told_table(
        RunTable(
            attributes=frame, metrics=metrics, params=columns.empty(2), tags=columns.empty(2),
            datasets=columns.dataset_schema().empty_table(), total=2, source="direct", as_of=datetime.now(UTC),
        )
    )  # fmt: skip
    assert found.metrics.to_pydict() == {"tp": [None, 90.0], "fp": [None, 50.0], "auroc": [0.9, 0.8]}
