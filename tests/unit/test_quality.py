"""Data validation and data quality: every rule, hidden small counts, hostile files, bounded memory."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, BadSettings
from core.quality.check import QualityPolicy, check_quality
from core.quality.infer import infer
from core.quality.repeats import Repeats
from core.quality.schema_file import Schema, matches, names_in, read_schema
from core.quality.tables import open_table
from core.quality.types import Report, Verdict
from core.quality.validate import validate

SCHEMA = """
name: patients
columns:
  patient_id: {type: text, unique: true, pattern: "p[0-9]+"}
  age: {type: integer, min: 18, max: 110}
  sex: {type: category, values: [F, M]}
  glucose: {type: number, missing: 0.1}
  smoker: {type: boolean}
  admitted: {type: date, min: 2020-01-01, max: "2030-01-01"}
  systolic: {type: number}
  diastolic: {type: number}
rules:
  - {name: pressure, check: systolic > diastolic}
min_rows: 10
"""


def patients(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "patient_id": [f"p{number}" for number in range(rows)],
            "age": rng.integers(18, 95, rows),
            "sex": rng.choice(["F", "M"], rows),
            "glucose": rng.normal(100, 15, rows).round(1),
            "smoker": rng.choice(["true", "false"], rows),
            "admitted": "2024-05-06",
            "systolic": 120.0,
            "diastolic": 80.0,
        }
    )


def schema(tmp_path: Path, text: str = SCHEMA) -> Schema:
    file = tmp_path / "schema.yaml"
    file.write_text(text, encoding="utf-8")
    return read_schema(file)


def checked(tmp_path: Path, table: pd.DataFrame, text: str = SCHEMA) -> Report:
    file = tmp_path / "table.csv"
    table.to_csv(file, index=False)
    return validate(open_table(file), schema(tmp_path, text))


def broken(report: Report) -> dict[tuple[str | None, str], int | None]:
    return {(one.column, one.rule): one.count for one in report.checks if one.verdict is not Verdict.PASS}


def test_a_sound_table_passes_and_every_rule_is_listed(tmp_path: Path) -> None:
    report = checked(tmp_path, patients())
    assert report.verdict is Verdict.PASS and report.rows == 200
    said = {(one.column, one.rule) for one in report.checks}
    assert {("age", ">= 18"), ("sex", "one of F, M"), (None, "pressure: systolic > diastolic")} <= said


def test_each_rule_counts_the_rows_that_break_it(tmp_path: Path) -> None:
    table = patients()
    table = table.astype({"age": object, "smoker": object})
    table.loc[:29, "age"] = 130
    table.loc[30:44, "age"] = "unknown"
    table.loc[:19, "sex"] = "diverse"
    table.loc[:49, "glucose"] = np.nan
    table.loc[:11, "smoker"] = "perhaps"
    table.loc[:12, "admitted"] = "2019-12-31"
    table.loc[:13, "systolic"] = 70
    table.loc[:14, "patient_id"] = "p0"
    table.loc[100:115, "patient_id"] = [f"q{n}" for n in range(16)]
    assert broken(checked(tmp_path, table)) == {
        ("age", "<= 110"): 30,
        ("age", "whole numbers"): 15,
        ("sex", "one of F, M"): 20,
        ("glucose", "at most 0.1 missing"): 50,
        ("smoker", "true or false"): 12,
        ("admitted", ">= 2020-01-01"): 13,
        (None, "pressure: systolic > diastolic"): 14,
        ("patient_id", "unique"): 14,
        ("patient_id", "matches p[0-9]+"): 16,
    }


def test_a_missing_column_and_an_identifier_fail_without_a_count(tmp_path: Path) -> None:
    table = patients().drop(columns="sex").assign(**{"E-mail": "someone@clinic.example", "First Name": "X"})
    found = broken(checked(tmp_path, table))
    assert found[("sex", "is present")] is None
    assert ("E-mail", "is a forbidden identifier column") in found
    assert ("First Name", "is a forbidden identifier column") in found


def test_no_value_and_no_small_count_is_ever_told(tmp_path: Path) -> None:
    table = patients().astype({"age": object})
    table.loc[3, "age"] = "CANARY-4711"
    table.loc[4, "sex"] = "CANARY-4712"
    table.loc[5, "patient_id"] = "CANARY-4713"
    report = checked(tmp_path, table)
    assert "CANARY" not in str(report.as_dict()) and "CANARY" not in repr(report.notes)
    counts = {one["count"] for one in report.as_dict()["checks"] if one["verdict"] == "FAIL"}
    assert counts == {"<11"}
    assert all(one["share"] is None for one in report.as_dict()["checks"] if one["count"] == "<11")


def test_a_rule_with_a_missing_value_leaves_the_row_out(tmp_path: Path) -> None:
    table = patients()
    table.loc[:20, "diastolic"] = np.nan
    text = SCHEMA.replace("diastolic: {type: number}", "diastolic: {type: number, missing: 1}")
    assert checked(tmp_path, table, text).verdict is Verdict.PASS


def test_a_latin_1_file_is_read_and_said(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    text = "site,n\n" + "Köln,1\n" * 30
    file.write_bytes(text.encode("latin-1"))
    rules = schema(tmp_path, "columns: {site: {type: category, values: [Köln]}, n: {type: integer}}")
    report = validate(open_table(file), rules)
    assert report.verdict is Verdict.PASS and "not UTF-8" in report.notes[0]
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert validate(open_table(file), rules).verdict is Verdict.PASS
    file.write_bytes(text.encode("utf-16"))
    with pytest.raises(BadInput, match="UTF-16"):
        open_table(file)


def test_torn_lines_are_counted_and_an_empty_file_is_no_table(tmp_path: Path) -> None:
    file = tmp_path / "torn.csv"
    file.write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" * 12)
    found = broken(validate(open_table(file), schema(tmp_path, "columns: {a: {type: integer}}")))
    assert found == {(None, "as many fields as the header"): 12}
    file.write_text("")
    with pytest.raises(BadInput):
        open_table(file)
    file.write_text("a,a\n1,2\n")
    with pytest.raises(BadInput, match="more than once"):
        open_table(file)


def test_a_table_of_only_a_header_fails_on_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("a\n")
    found = broken(validate(open_table(file), schema(tmp_path, "columns: {a: {type: integer}}")))
    assert found == {(None, "at least 1 rows"): None}


def test_parquet_is_checked_as_csv_is(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    table = patients()
    table["sex"] = table["sex"].where(table.index > 19, "diverse")
    table["smoker"] = table["smoker"] == "true"
    table["admitted"] = pd.to_datetime(table["admitted"])
    table.to_parquet(file)
    found = broken(validate(open_table(file), schema(tmp_path)))
    assert found == {("sex", "one of F, M"): 20}


def test_an_inferred_schema_passes_its_own_table_and_tells_no_rare_value(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    table = patients(500)
    table.loc[:4, "sex"] = "X"
    table.assign(email="a@b.example").to_csv(file, index=False)
    text = infer(open_table(file), "patients")
    rules = schema(tmp_path, text)
    columns = rules.columns
    assert columns["age"].type == "integer" and columns["age"].min == 10 and columns["age"].max == 100
    assert columns["sex"].values == ("F", "M") and columns["patient_id"].unique
    assert columns["admitted"].type == "date" and "email" not in columns
    table.loc[:4, "sex"] = "F"
    table.to_csv(file, index=False)
    assert validate(open_table(file), rules).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns: {age: {type: integer, min: old}}", "line 1"),
        ("columns:\n  age: {type: whole}", "line 2.*columns.age.type"),
        ("columns:\n  age: {type: integer}\nrules:\n  - {name: r, check: __import__('os')}", "line 4"),
        ("columns:\n  age: {type: integer}\nrules:\n  - {name: r, check: age > weight}", "weight"),
        ("columns:\n  a: {type: text, pattern: '('}", "line 2.*regular expression"),
        ("- 1", "mapping with 'columns'"),
        ("columns: {a: {type: text}}\ncolums: 3", "line 2.*colums.*not a known key"),
        ("columns: [", "line"),
    ],
)
def test_a_malformed_schema_is_named_by_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSettings, match=f"(?s){said}"):
        schema(tmp_path, text)


@given(st.text(max_size=40))
def test_a_row_rule_is_arithmetic_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert names_in(text)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 30), max_size=120), st.integers(1, 40))
def test_repeats_are_counted_across_chunks(values: list[int], size: int) -> None:
    with Repeats() as repeats:
        for start in range(0, len(values), size):
            repeats.add(pd.DataFrame({"a": values[start : start + size]}))
        assert repeats.count() == len(values) - len(set(values))


def test_repeats_that_spill_to_disk_are_counted_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.quality.repeats._HELD", 100)
    with Repeats() as repeats:
        for start in range(0, 2000, 100):
            repeats.add(pd.DataFrame({"a": np.arange(start, start + 100) % 700}))
        assert repeats.count() == 1300


def quality(tmp_path: Path, table: pd.DataFrame, **policy: object) -> Report:
    file = tmp_path / "table.csv"
    table.to_csv(file, index=False)
    return check_quality(open_table(file), QualityPolicy.model_validate(policy))


def test_quality_rules(tmp_path: Path) -> None:
    table = patients(300).assign(label=[1] * 12 + [0] * 288, site=["A"] * 200 + ["B"] * 85 + ["C"] * 15)
    table.loc[:99, "glucose"] = np.nan
    table.loc[:19, "patient_id"] = "p0"
    report = quality(
        tmp_path,
        table,
        max_missing=0.2,
        columns={"weight": 0.1},
        max_duplicates=0.0,
        key=["patient_id"],
        label={"column": "label", "min_share": 0.05},
        subgroups=[{"columns": ["site"], "min_rows": 50}],
    )
    assert broken(report) == {
        ("glucose", "at most 0.2 missing"): 100,
        ("weight", "at most 0.1 missing"): None,
        (None, "at most 0 repeated rows (by patient_id)"): 19,
        ("label", "each label has at least 0.05 of the rows"): 12,
        ("site", "C: at least 50 rows"): None,
    }


def test_a_group_of_a_few_people_is_not_named(tmp_path: Path) -> None:
    table = patients(100).assign(site=["A"] * 60 + ["B"] * 36 + ["TINY"] * 4)
    report = quality(tmp_path, table, subgroups=[{"columns": ["site"], "min_rows": 50}])
    assert "TINY" not in str(report.as_dict()) and report.verdict is Verdict.FAIL
    assert all(one["count"] is None for one in report.as_dict()["checks"])


def test_too_few_rows_and_absent_columns_are_inconclusive(tmp_path: Path) -> None:
    assert quality(tmp_path, patients(20), min_rows=50).verdict is Verdict.INCONCLUSIVE
    assert quality(tmp_path, patients(20), label={"column": "nope"}).verdict is Verdict.INCONCLUSIVE


def test_columns_that_name_a_person_are_known_however_they_are_spelt() -> None:
    assert matches("Patient Name", ("patient?name",)) and matches("patientname", ("patient?name",))
    assert not matches("patient_id", ("patient?name",))


def test_memory_is_bounded_by_a_chunk_not_by_the_file(tmp_path: Path) -> None:
    """A file four times as large takes about as much memory (in processes of their own, by peak RSS).

    The blocks are made small, so that both files are many of them; the bench reads files of real size.
    """
    code = (
        "import resource, sys; from pathlib import Path; from core.quality import tables;"
        "from core.quality.tables import open_table; tables.BLOCK_BYTES = 1 << 19;"
        "from core.quality.schema_file import read_schema; from core.quality.validate import validate;"
        "print(validate(open_table(Path(sys.argv[1])), read_schema(Path(sys.argv[2]))).rows,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    schema(tmp_path)
    block = patients(20_000)
    peaks = []
    for blocks in (4, 16):
        file = tmp_path / f"{blocks}.csv"
        for number in range(blocks):
            block.to_csv(file, index=False, mode="a", header=number == 0)
        words = [sys.executable, "-c", code, str(file), str(tmp_path / "schema.yaml")]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows, peak = map(int, done.stdout.split())
        assert rows == blocks * 20_000
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 20, peaks


@pytest.mark.parametrize(
    ("name", "content", "way_out"),
    [("a.csv", b"", "header line"), ("a.parquet", b"PAR1 CANARY", "no Parquet file")],
)
def test_a_file_that_is_no_table_is_said_without_what_it_holds(tmp_path, name, content, way_out):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as caught:
        open_table(tmp_path / name)
    assert way_out in caught.value.way_out and "CANARY" not in str(caught.value)
