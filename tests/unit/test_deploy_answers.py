"""What answers must look like, and what a pickle would import, without any server."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deploy import answers, pickles
from core.deploy.gates import Verdict, check_size
from core.errors import Refused

PASS, FAIL = Verdict.PASS, Verdict.FAIL
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


@given(st.lists(numbers, min_size=1))
def test_an_answer_is_like_itself_and_like_one_that_was_rounded(values: list[float]) -> None:
    assert answers.alike(values, [value * (1 + 1e-9) for value in values])
    assert not answers.alike(values, [*values, 0.0])
    assert not answers.alike(values, [value + 1 + abs(value) for value in values])


@pytest.mark.parametrize(
    ("body", "live", "verdict", "why"),
    [
        ({"predictions": [[0.25, 0.75]], "classes": [0, 1]}, [0, 1], PASS, "sum to 1"),
        ({"predictions": [[0.25, 0.7]], "classes": [0, 1]}, None, FAIL, "misses 1 by 0.05"),
        ({"predictions": [[1.25, -0.25]], "classes": [0, 1]}, None, FAIL, "not between 0 and 1"),
        ({"predictions": [[None, 1.0]], "classes": [0, 1]}, None, FAIL, "not between 0 and 1"),
        ({"predictions": [[1.0]], "classes": [0, 1]}, None, FAIL, "each of 2 classes"),
        ({"predictions": [[0.5, 0.5]], "classes": [0, 1]}, [0, 1, 2], FAIL, "live has"),
        ({"predictions": [[0.5, 0.5]], "classes": [2, 3]}, None, FAIL, "does not know"),
        ({}, None, FAIL, "no table"),
    ],
)
def test_probabilities(body: dict, live: list | None, verdict: Verdict, why: str) -> None:
    check = answers.check_probabilities(body, [0, 1], live)
    assert check.verdict is verdict and why in check.detail


def test_golden_and_live() -> None:
    assert answers.check_golden([1, 0], None).verdict is Verdict.INCONCLUSIVE
    assert answers.check_golden([1, 0], [1, 0]).verdict is PASS
    assert answers.check_golden([1, 1], [1, 0]).verdict is FAIL
    assert answers.check_like_live([1, 1], [1, 0]).detail == "1 of 2 predictions as live's"
    assert answers.check_like_live(["high", "low"], [1, 0]).verdict is FAIL
    assert answers.check_like_live([1], [1, 0]).verdict is FAIL
    assert check_size(100_000_001, 100).verdict is FAIL


class _Runs:
    def __reduce__(self):
        return subprocess.check_output, (["touch", "/tmp/never"],)


def test_a_pickle_tells_what_it_would_import(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    for protocol in range(2, 6):
        file.write_bytes(pickle.dumps(_Runs(), protocol, fix_imports=False))
        assert list(pickles.imported_names(file)) == ["subprocess.check_output"]
        assert pickles.looks_like_pickle(file)


def test_a_name_from_the_memo_is_found_and_a_computed_one_is_said(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    # "os" and "system" are memoized first and fetched again, with harmless strings pushed between.
    memo = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x04json\x8c\x05dumpsh\x00h\x01\x93."
    file.write_bytes(memo)
    assert list(pickles.imported_names(file)) == ["os.system"]
    file.write_bytes(b"\x80\x04\x8c\x02osN\x93.")
    assert list(pickles.imported_names(file)) == [pickles.COMPUTED]
    file.write_bytes(b"x\x9c\x03\x00\x00")
    assert list(pickles.imported_names(file)) == [pickles.UNREADABLE]


SKLEARN = "flavors:\n  python_function: {loader_module: mlflow.sklearn, model_path: model.skops}\n"


@pytest.mark.parametrize(
    ("mlmodel", "file", "said"),
    [
        # MLflow unpickles a scikit-learn model whose format is not named, whatever its file is called.
        (SKLEARN + "  sklearn: {}\n", "model.skops", "pickle in model.skops (names subprocess.check_output)"),
        # A flavor listed first must not speak for the one that is loaded.
        (
            SKLEARN.replace("flavors:\n", "flavors:\n  decoy: {serialization_format: skops}\n")
            + "  sklearn: {serialization_format: pickle}\n",
            "model.skops",
            "pickle in model.skops",
        ),
        (SKLEARN.replace("mlflow.sklearn", "evil.loader"), None, "the loader evil.loader"),
        (
            SKLEARN.replace("mlflow.sklearn", "mlflow.statsmodels"),
            None,
            "the loader mlflow.statsmodels",
        ),
        (
            SKLEARN.replace("mlflow.sklearn", "mlflow.xgboost") + "  xgboost: {model_class: os.system}\n",
            None,
            "the loader mlflow.xgboost with os.system",
        ),
        (
            SKLEARN.replace("model_path", "code: code, model_path")
            + "  sklearn: {serialization_format: skops}\n",
            None,
            "its own Python code",
        ),
    ],
)
def test_what_would_run_code_is_found_without_loading(
    tmp_path: Path, mlmodel: str, file: str | None, said: str
) -> None:
    from core.deploy.serialization import inspect

    (tmp_path / "MLmodel").write_text(mlmodel)
    if file:
        (tmp_path / file).write_bytes(pickle.dumps(_Runs(), 0, fix_imports=False))
    findings = inspect(tmp_path)
    assert findings.runs_code and said in findings.sentence


def test_a_type_that_the_model_declares_trusted_is_not_trusted_by_that(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer
    from skops.io import dump

    from core.deploy.serialization import inspect

    dump(FunctionTransformer(subprocess.check_output), tmp_path / "model.bin")
    (tmp_path / "MLmodel").write_text(
        SKLEARN.replace("model.skops", "model.bin")
        + "  sklearn: {serialization_format: skops, skops_trusted_types: [subprocess.check_output]}\n"
    )
    findings = inspect(tmp_path)
    assert findings.runs_code and "untrusted types subprocess.check_output" in findings.sentence


def test_a_model_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    from core.deploy.serialization import inspect

    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(_Runs(), 0, fix_imports=False))
    (folder / "MLmodel").write_text(SKLEARN.replace("model.skops", "../model.pkl"))
    with pytest.raises(Refused, match="could not be inspected"):
        inspect(folder)
