"""The states of stages agree with DVC's own status wherever files are checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline_project import commit, dvc, dvc_status, trained, write

from core.pipeline.checks import check_files
from core.pipeline.read import read_pipeline
from core.pipeline.status import stage_states
from core.pipeline.types import Pipeline, ReasonKind, StageState, State

DVC_WORDS = {
    ReasonKind.DEP: "changed deps",
    ReasonKind.PARAM: "changed deps",
    ReasonKind.OUT: "changed outs",
    ReasonKind.COMMAND: "changed command",
    ReasonKind.ALWAYS: "always changed",
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("status") / "project")


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "project", symlinks=True))


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / file
        text = path.read_text()
        assert old in text
        path.unlink()
        path.write_text(text.replace(old, new))

    return change


def remove(name: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return change


def add_stage(text: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        with (project / "dvc.yaml").open("a") as stream:
            stream.write(text)

    return change


def forget_cache(project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")


def write_part(project: Path) -> None:
    write(project, {"parts/c.csv": "more\n"})


def ignore_part(project: Path) -> None:
    write(project, {"parts/c.tmp": "scratch\n", ".dvcignore": "*.tmp\n"})


SCENARIOS = {
    "nothing changed": lambda project: None,
    "the raw data changed": replace("raw.csv", "a,1", "a,9"),
    "a script changed": replace("train.py", "train", "fit"),
    "a parameter changed": replace("params.yaml", "1e-3", "1e-2"),
    "a parameter written otherwise": replace("params.yaml", "1e-3", "0.001"),
    "a parameter removed": replace("params.yaml", "seed: 7\n", ""),
    "the params file removed": remove("params.yaml"),
    "the command changed": replace("dvc.yaml", "head -n 2", "head -n 3"),
    "an output removed": remove("model.bin"),
    "a directory output removed": remove("parts"),
    "a file added to a directory": write_part,
    "an ignored file added to a directory": ignore_part,
    "the metrics changed": replace("metrics.json", "0.9", "0.8"),
    "the cache is gone": forget_cache,
    "the lock is gone": remove("dvc.lock"),
    "a frozen stage with changed deps": lambda project: (
        replace("dvc.yaml", "  train:\n", "  train:\n    frozen: true\n")(project),
        replace("train.py", "train", "fit")(project),
    ),
    "a new stage": add_stage("  report:\n    cmd: echo\n    deps: [model.bin]\n    outs: [report.md]\n"),
    "a callback stage": add_stage("  call:\n    cmd: echo hello\n"),
    "an always changed stage": replace("dvc.yaml", "  split:\n", "  split:\n    always_changed: true\n"),
    "a new param key": replace("dvc.yaml", "[seed, train.lr]", "[seed, train.lr, train]"),
    "an absent param key": replace("dvc.yaml", "[seed, train.lr]", "[seed, train.lr, nope]"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_checked_status_is_dvcs_own(name: str, project: Path) -> None:
    SCENARIOS[name](project)
    pipeline = read_pipeline(project)
    states = stage_states(pipeline, check_files(pipeline))
    assert in_dvcs_words(states) == dvc_status(project)


def in_dvcs_words(states: tuple[StageState, ...]) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {}
    for state in states:
        for reason in state.reasons:
            word = DVC_WORDS.get(reason.kind)
            if word is not None:
                plain = word in ("changed command", "always changed")
                entry = (word, "", "") if plain else (word, reason.subject, reason.change)
                found.setdefault(state.name, set()).add(entry)
    return found


def test_upstream_changes_reach_what_dvc_leaves_clean(project: Path) -> None:
    replace("raw.csv", "a,1", "a,9")(project)
    states = by_name(read_pipeline(project))
    assert states["prepare"].state is State.CHANGED
    assert states["split"].state is State.OUTDATED_UPSTREAM
    assert states["train"].state is State.OUTDATED_UPSTREAM


def test_a_fresh_clone_says_that_data_is_missing_not_changed(project: Path) -> None:
    for name in ("clean.csv", "parts", "model.bin", "raw.csv"):
        remove(name)(project)
    states = by_name(read_pipeline(project))
    assert {state.state for state in states.values()} == {State.OUTPUT_MISSING}


def test_committed_lock_shows_staleness_without_data(project: Path) -> None:
    before = by_name(read_pipeline(project, "HEAD"))
    assert {state.state for state in before.values()} == {State.UP_TO_DATE}
    replace("raw.csv", "a,1", "a,9")(project)
    dvc(project, "add", "-q", "raw.csv")
    dvc(project, "repro", "-q", "-s", "prepare")
    commit(project, "only the first stage was run again")
    after = by_name(read_pipeline(project, "HEAD"))
    assert after["split"].state is State.CHANGED
    assert [reason.kind for reason in after["split"].reasons] == [ReasonKind.PRODUCER]
    assert after["train"].state is State.OUTDATED_UPSTREAM


def test_a_file_inside_a_directory_output_is_compared_by_its_listing(project: Path) -> None:
    replace("dvc.yaml", "deps: [parts, train.py]", "deps: [parts/a.csv, train.py]")(project)
    dvc(project, "repro", "-q")
    commit(project, "depends on one part")
    assert by_name(read_pipeline(project, "HEAD"))["train"].state is State.UP_TO_DATE
    replace("dvc.yaml", "head -n 2 clean.csv", "head -n 1 clean.csv")(project)
    dvc(project, "repro", "-q", "-s", "split")
    commit(project, "only the parts are new")
    state = by_name(read_pipeline(project, "HEAD"))["train"]
    assert [(reason.kind, reason.subject) for reason in state.reasons] == [
        (ReasonKind.PRODUCER, "parts/a.csv")
    ]


def test_large_files_are_not_read_for_a_page(project: Path) -> None:
    write(project, {"big.bin": b"0" * (2 << 20)})
    dvc(project, "add", "-q", "big.bin")
    unchecked = by_name(read_pipeline(project))["big.bin.dvc"]
    assert (unchecked.state, unchecked.reasons[0].change) == (State.NOT_CHECKED, "not checked")
    pipeline = read_pipeline(project)
    seen: list[tuple[int, int]] = []
    checked = check_files(pipeline, lambda done, total: seen.append((done, total)))
    assert {state.state for state in stage_states(pipeline, checked)} == {State.UP_TO_DATE}
    assert seen[-1][0] == seen[-1][1] >= 2 << 20


def by_name(pipeline: Pipeline) -> dict[str, StageState]:
    return {state.name: state for state in stage_states(pipeline)}
