"""``drift check`` as other programs see it: files in, JSON and exit code out, nobody's values shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import validate
from typer.testing import CliRunner

from core.cli.drift import app
from core.drift.check import check
from core.drift.policy import load_policy
from core.errors import BadInput, BadSettings, NotFound

SCHEMAS = Path(__file__).parents[2] / "core" / "cli" / "schemas"
RNG = np.random.default_rng(7)
FEATURES = {
    "car_value", "loan_length", "salary_range", "repaid_loan_on_prev_car", "debt_to_income_ratio",
    "driver_tenure", "size_of_downpayment",
}  # fmt: skip
DRIFTING = {"car_value", "loan_length", "salary_range", "repaid_loan_on_prev_car"}


def run(*arguments: object) -> tuple[int, dict]:
    result = CliRunner().invoke(app, ["check", *map(str, arguments), "--output", "json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, json.loads(result.stdout)


def table(rows: int = 400, shift: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": RNG.normal(50 + 10 * shift, 10, rows).round(1),
            "sex": RNG.choice(["f", "m"], rows),
            "patient_id": [f"P{RNG.integers(1e9)}-{number}" for number in range(rows)],
        }
    )


@pytest.fixture
def files(tmp_path):
    table().to_csv(tmp_path / "reference.csv", index=False)
    table().to_parquet(tmp_path / "same.parquet")
    table(shift=1).to_parquet(tmp_path / "moved.parquet")
    return tmp_path


@pytest.mark.parametrize(("name", "code", "verdict"), [("same", 0, "OK"), ("moved", 3, "DRIFT")])
def test_csv_against_parquet(files, name, code, verdict):
    found, document = run("--reference", files / "reference.csv", "--current", files / f"{name}.parquet")
    validate(document, json.loads((SCHEMAS / "drift-check.json").read_text()))
    assert (found, document["verdict"]) == (code, verdict)
    assert document["rows"] == {"reference": 400, "current": 400}
    kinds = {column["name"]: column["kind"] for column in document["columns"]}
    assert kinds == {"age": "numeric", "sex": "categorical", "patient_id": "identifier"}


def test_few_rows_are_inconclusive_and_their_count_is_hidden(files):
    table(8).to_csv(files / "few.csv", index=False)
    code, document = run("--reference", files / "reference.csv", "--current", files / "few.csv")
    assert (code, document["verdict"]) == (4, "INCONCLUSIVE")
    assert document["rows"]["current"] == "<11"


def test_columns_may_be_repeated_or_joined_by_commas(files):
    given = ("--reference", files / "reference.csv", "--current", files / "moved.parquet")
    for columns in (("--columns", "sex,age"), ("--columns", "sex", "--columns", "age")):
        _, document = run(*given, *columns)
        assert [column["name"] for column in document["columns"]] == ["sex", "age"]
    with pytest.raises(BadInput, match="weight"):
        run(*given, "--columns", "weight")


def test_no_rare_level_and_no_identifier_is_ever_shown(files):
    reference, current = table(), table()
    current.loc[:3, "sex"] = "a rare secret"
    current.loc[4:40, "sex"] = "common"
    reference.to_parquet(files / "a.parquet")
    current.to_parquet(files / "b.parquet")
    _, document = run("--reference", files / "a.parquet", "--current", files / "b.parquet")
    text = json.dumps(document)
    assert "secret" not in text
    assert current["patient_id"][0] not in text
    levels = next(c for c in document["columns"] if c["name"] == "sex")["quality"]["new_levels"]
    assert levels[0] == {"level": "common", "count": 37, "share": 37 / 400}
    assert levels[1] == {"level": "<rare level>", "count": "<11", "share": None}


@pytest.mark.parametrize(
    ("content", "error"), [(b"PAR1 not really", BadInput), (None, NotFound)], ids=["corrupt", "absent"]
)
def test_bad_files_are_refused_in_a_sentence(files, content, error):
    bad = files / "bad.parquet"
    if content:
        bad.write_bytes(content)
    with pytest.raises(error) as caught:
        run("--reference", files / "reference.csv", "--current", bad)
    assert caught.value.exit_code == 2


def test_a_csv_of_mixed_types_is_read_and_said(files):
    rows = ["age,note"] + [f"{age},x" for age in range(60_000)] + ["unknown,x"] * 20
    (files / "mixed.csv").write_text("\n".join(rows), encoding="utf-8")
    _, document = run("--reference", files / "reference.csv", "--current", files / "mixed.csv")
    assert any(f["kind"] == "mixed types" and "20 rows" in f["message"] for f in document["schema"])


def test_a_folder_of_days_with_another_schema_and_a_corrupt_day(files):
    days = files / "days"
    days.mkdir()
    table(200).to_parquet(days / "2026-01-01.parquet")
    table(200).assign(age=lambda day: day.age.astype(int), extra=1).to_parquet(days / "2026-01-02.parquet")
    (days / "2026-01-03.parquet").write_bytes(b"PAR1")
    code, document = run("--reference", files / "reference.csv", "--current", days)
    assert code == 0
    assert document["rows"]["current"] == 400
    assert {finding["kind"] for finding in document["schema"]} == {
        "unreadable file", "missing in some files", "extra column"
    }  # fmt: skip


def test_car_loan_twenty_true_flags_and_none_false(corpus):
    reference = corpus / "drift" / "car_loan_reference.parquet"
    analysis = pq.read_table(corpus / "drift" / "car_loan_analysis.parquet")
    for chunk in range(10):
        report = check(reference, analysis.slice(chunk * 5000, 5000), columns=FEATURES)
        flagged = {column.name for column in report.columns if column.verdict.value == "DRIFT"}
        assert flagged == (DRIFTING if chunk >= 5 else set()), chunk


def test_the_plain_policy_is_the_tutorials_rule():
    left, right = pa.table({"a": RNG.normal(size=50_000)}), pa.table({"a": RNG.normal(0.03, 1, 50_000)})
    default, plain = check(left, right).column("a"), check(left, right, load_policy("plain")).column("a")
    assert (default.verdict.value, plain.verdict.value) == ("OK", "DRIFT")
    assert "significant but too small" in default.reason
    assert plain.adjusted_pvalue == plain.statistics.ks.pvalue < 0.05


@pytest.mark.parametrize("suffix", ["toml", "yaml"])
def test_a_policy_file(files, suffix):
    file = files / f"strict.{suffix}"
    file.write_text(
        '[drift]\nks_effect = 0.9\n[drift.kinds]\nage = "numeric"\n'
        if suffix == "toml"
        else "ks_effect: 0.9\nkinds: {age: numeric}\n",
        encoding="utf-8",
    )
    given = ("--reference", files / "reference.csv", "--current", files / "moved.parquet", "--policy", file)
    assert run(*given)[0] == 0
    file.write_text("ks_efect = 1" if suffix == "toml" else "ks_effect: 7", encoding="utf-8")
    with pytest.raises(BadSettings, match="ks_ef"):
        run(*given)


def test_a_cached_profile_gives_the_same_report(files):
    given = ("--reference", files / "moved.parquet", "--current", files / "same.parquet")
    plain, first, second = (
        run(*given),
        run(*given, "--cache", files / "c"),
        run(*given, "--cache", files / "c"),
    )
    assert plain == first == second
    assert (files / "c").stat().st_mode & 0o077 == 0
    kept = b"".join(file.read_bytes() for file in (files / "c").rglob("*") if file.is_file())
    assert pq.read_table(files / "moved.parquet")["patient_id"][0].as_py().encode() not in kept


def test_the_classifier_tells_moved_rows_apart(files):
    _, document = run(
        "--reference", files / "reference.csv", "--current", files / "moved.parquet", "--classifier"
    )
    assert document["domain_classifier"]["low"] > 0.6


def test_whole_rows_show_what_no_column_does(tmp_path):
    """Two columns that each look the same but no longer move together."""
    a = RNG.normal(size=800)
    left = pd.DataFrame({"a": a, "b": a + RNG.normal(0, 0.2, 800)})
    right = pd.DataFrame({"a": RNG.permutation(left.a), "b": RNG.permutation(left.b)})
    for name, frame in (("left", left), ("right", right), ("same", left.sample(frac=1, random_state=1))):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    given = ("--reference", tmp_path / "left.parquet", "--mmd", "--classifier", "--current")
    _, moved = run(*given, tmp_path / "right.parquet")
    assert moved["verdict"] == "OK", "each column by itself"
    assert moved["mmd"]["pvalue"] < 0.01 and moved["domain_classifier"]["low"] > 0.7
    _, same = run(*given, tmp_path / "same.parquet")
    assert same["mmd"]["pvalue"] > 0.05 and same["domain_classifier"]["low"] < 0.55


def test_importance_weighs_the_verdict(tmp_path):
    used, idle = RNG.normal(size=2000), RNG.normal(size=2000)
    pd.DataFrame({"used": used, "idle": idle, "outcome": (used > 0).astype(int)}).to_parquet(
        tmp_path / "r.parquet"
    )
    pd.DataFrame({"used": used, "idle": idle + 1}).to_parquet(tmp_path / "c.parquet")
    given = (
        "--reference",
        tmp_path / "r.parquet",
        "--current",
        tmp_path / "c.parquet",
        "--target",
        "outcome",
    )
    code, document = run(*given)
    assert code == 3 and document["weighted_share"] < 0.05 < document["drifted_share"]
    importance = {column["name"]: column["importance"] for column in document["columns"]}
    assert importance["used"] > 0.9 and sum(importance.values()) == pytest.approx(1)
    lenient = tmp_path / "lenient.toml"
    lenient.write_text("tolerated_share = 1.0\nimportance_share = 0.2\n", encoding="utf-8")
    assert run(*given, "--policy", lenient)[0] == 0, "only an unimportant column moved"
