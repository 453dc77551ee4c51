"""Bad input: every project gives a graph and names the fault, quickly and without leaving the repository."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline_project import commit, git, write

from core.errors import NotFound
from core.pipeline.history import lock_history
from core.pipeline.lockfile import parse_lock
from core.pipeline.measures import read_metrics, read_params
from core.pipeline.plots import read_plots
from core.pipeline.read import read_pipeline
from core.pipeline.revisions import revisions
from core.pipeline.status import stage_states
from core.pipeline.types import Pipeline, Severity, State
from core.pipeline.validate import is_sound, validate

GOOD = "stages:\n  good:\n    cmd: run\n    deps: [raw.csv]\n    outs: [x]\n"
LOCK = "schema: '2.0'\nstages:\n  good:\n    cmd: run\n    outs:\n    - {path: x, hash: md5, md5: abc123}\n"
AXES = ", ".join(f"a{number}: [1, 2, 3]" for number in range(20))
MATRIX_BOMB = f"stages:\n  m:\n    matrix: {{{AXES}}}\n    cmd: x ${{key}}\n"


def read(folder: Path, files: dict[str, str | bytes]) -> Pipeline:
    write(folder, files)
    return read_pipeline(folder)


def messages(pipeline: Pipeline) -> str:
    return "\n".join(f"{one.file}:{one.line}: {one.message}" for one in pipeline.findings)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"dvc.lock": b"schema: '2.0'\nstages:\n  good: [\n"}, "dvc.lock:", id="broken lock"),
        pytest.param(
            {"dvc.lock": b"\xff\xfe"}, "dvc.lock:1: the file is not valid UTF-8", id="lock not UTF-8"
        ),
        pytest.param({"dvc.lock": b"#" * (101 << 20)}, "larger than 32 MB", id="lock of 101 MB"),
        pytest.param({"dvc.lock": b"[1]"}, "a mapping was expected", id="lock is a list"),
        pytest.param({"dvc.lock": b"schema: '3.0'\nstages: {}"}, "unknown schema '3.0'", id="lock schema"),
        pytest.param({"dvc.lock": b"schema: '2.0'\nstages: {good: 3}"}, "entry 'good'", id="lock entry"),
        pytest.param({"sub/dvc.yaml": b"stages: [1]"}, "sub/dvc.yaml:1: stages must be", id="stages a list"),
        pytest.param({"sub/dvc.yaml": b"stages:\n  a: 3"}, "sub/dvc.yaml:2: stage 'a'", id="stage a number"),
        pytest.param({"sub/dvc.yaml": b"stages:\n  a: {cmd: x, live: y}"}, "unknown key 'live'", id="live"),
        pytest.param({"sub/dvc.yaml": b"stages:\n  a: {deps: [x]}"}, "no command", id="no command"),
        pytest.param({"sub/dvc.yaml": b"stages:\n  a: {cmd: x, deps: x}"}, "deps must be a list", id="deps"),
        pytest.param(
            {"sub/dvc.yaml": b"stages:\n  a: {foreach: [1], cmd: x}"}, "foreach and do", id="foreach"
        ),
        pytest.param({"sub/dvc.yaml": b"stages:\n  a: {}\n  a: {}"}, "sub/dvc.yaml:3: duplicate", id="twice"),
        pytest.param(
            {"sub/dvc.yaml": b"vars: [none.yaml]\nstages:\n  a: {cmd: '${b}'}"}, "none.yaml", id="vars"
        ),
        pytest.param(
            {"sub/dvc.yaml": b"stages:\n  a: {cmd: '${b..c}'}"}, "stage 'a'", id="not an expression"
        ),
        pytest.param(
            {"old.dvc": b"outs: [{path: x.csv, metric: false}]"}, "unknown key 'metric'", id="old .dvc"
        ),
        pytest.param({"bad.dvc": b"outs: 3"}, "outs must be a list", id=".dvc outs"),
        pytest.param({"bad.dvc": b"outs: [{md5: abc}]"}, "no path", id=".dvc without path"),
        pytest.param({"two.dvc": b"outs: [{path: x, md5: abc1}]"}, "several stages", id="shared output"),
        pytest.param({"in.dvc": b"outs: [{path: x/y, md5: abc1}]"}, "lies inside 'x'", id="nested output"),
        pytest.param(
            {"sub/dvc.yaml": MATRIX_BOMB},
            "3,486,784,401 stages",
            id="matrix bomb",
        ),
    ],
)
def test_a_fault_is_named_and_the_rest_stands(
    files: dict[str, str | bytes], words: str, tmp_path: Path
) -> None:
    pipeline = read(tmp_path, {"dvc.yaml": GOOD, "raw.csv.dvc": "outs: [{path: raw.csv, md5: abc}]", **files})
    assert words in messages(pipeline)
    assert ("raw.csv.dvc", "good") in pipeline.edges
    assert len(stage_states(pipeline)) == len(pipeline.stages)


def test_lock_of_2020_is_read(tmp_path: Path) -> None:
    pipeline = read(
        tmp_path, {"dvc.yaml": GOOD, "dvc.lock": "good:\n  cmd: run\n  outs:\n  - {path: x, md5: abc123}\n"}
    )
    assert pipeline.stages[0].outs[0].hash is not None
    assert "format 1.0" in messages(pipeline)


def test_a_cycle_is_a_finding(tmp_path: Path) -> None:
    ring = "stages:\n" + "".join(
        f"  s{n}: {{cmd: x, deps: [o{n}], outs: [o{(n + 1) % 3}]}}\n" for n in range(3)
    )
    pipeline = read(tmp_path, {"dvc.yaml": ring})
    assert "depend on each other" in messages(pipeline)
    assert {frozenset(cycle) for cycle in pipeline.cycles} == {frozenset({"s0", "s1", "s2"})}
    assert len(stage_states(pipeline)) == 3


def test_the_graph_follows_every_change_that_it_is_made_of(tmp_path: Path) -> None:
    """It is kept while files, deps and outs are the same; a command or a hash changes nothing in it."""
    text = "stages:\n  one: {cmd: x, outs: [a]}\n  two: {cmd: x, deps: [a], outs: [b]}\n"
    pipeline = read(tmp_path, {"dvc.yaml": text})
    again = read(tmp_path, {"dvc.yaml": text.replace("cmd: x", "cmd: yy")})
    assert again.edges is pipeline.edges and again.stages[0].cmd == "yy"
    assert read(tmp_path, {"dvc.yaml": text.replace("deps: [a]", "deps: [c]")}).edges == ()
    assert read(tmp_path, {"sub/dvc.yaml": "stages:\n  three: {cmd: x, outs: [../c]}\n"}).edges == (
        ("sub/dvc.yaml:three", "two"),
    )
    ring = text.replace("outs: [a]", "deps: [b], outs: [a]")
    lines = [read(tmp_path, {"dvc.yaml": "\n" * number + ring}).findings[-1].line for number in (0, 3)]
    assert lines[1] == lines[0] + 3


def test_a_stage_that_eats_its_own_output(tmp_path: Path) -> None:
    pipeline = read(tmp_path, {"dvc.yaml": "stages:\n  a: {cmd: x, deps: [o/in], outs: [o]}\n"})
    assert "both its dependency and its output" in messages(pipeline)


def test_a_chain_of_ten_thousand(tmp_path: Path) -> None:
    lines = [f"  s{n}: {{cmd: x, deps: [o{n}], outs: [o{n + 1}]}}" for n in range(10_000)]
    before = time.process_time()
    pipeline = read(tmp_path, {"dvc.yaml": "\n".join(["stages:", *lines])})
    assert len(pipeline.edges) == 9_999
    states = stage_states(pipeline)
    assert {state.state for state in states} == {State.NEVER_RUN}
    assert time.process_time() - before < 10


def test_nothing_outside_the_repository_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, {"dvc.yaml": GOOD, "secret.yaml": "password: hunter2\n"})
    inside = tmp_path / "inside"
    write(inside, {"dvc.yaml": "stages:\n  a:\n    cmd: x\n    params: [{../outside/secret.yaml: }]\n"})
    (inside / "linked").symlink_to(outside)
    (inside / "link.yaml").symlink_to(outside / "secret.yaml")
    git(inside, "init", "-q")
    (inside / "sub").mkdir()
    (inside / "sub" / "dvc.yaml").symlink_to(outside / "dvc.yaml")
    pipeline = read_pipeline(inside)
    assert [stage.name for stage in pipeline.stages] == ["a"]
    assert pipeline.stages[0].params[0].current is None
    assert messages(pipeline).count("outside the repository") == 2
    assert "hunter2" not in repr(pipeline)


def test_nested_projects_and_dvcignore_are_left_out(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "dvc.yaml": GOOD,
        "other/.dvc/config": "",
        "other/dvc.yaml": GOOD,
        ".dvcignore": "# comment\nold/\n!old/keep\n*.tmp.dvc\n",
        "old/dvc.yaml": GOOD,
        "a.tmp.dvc": "outs: []",
        "new/.dvcignore": "drop\n",
        "new/drop/dvc.yaml": GOOD,
        "new/keep/dvc.yaml": GOOD,
    }
    write(tmp_path, files)
    expected = {"good", "new/keep/dvc.yaml:good"}
    assert {stage.name for stage in read_pipeline(tmp_path).stages} == expected
    git(tmp_path, "init", "-q")
    commit(tmp_path, "one")
    assert {stage.name for stage in read_pipeline(tmp_path).stages} == expected
    assert {stage.name for stage in read_pipeline(tmp_path, "HEAD").stages} == expected
    assert [stage.name for stage in read_pipeline(tmp_path / "other", "HEAD").stages] == ["good"]


def cloned(arguments: tuple[str, ...]) -> Callable[[Path], Path]:
    def make(origin: Path) -> Path:
        target = origin.parent / "clone"
        git(origin.parent, "clone", "-q", *arguments, f"file://{origin}", str(target))
        return target

    return make


@pytest.mark.parametrize("make", [cloned(("--bare",)), cloned(("--depth", "1"))], ids=["bare", "shallow"])
def test_bare_and_shallow_repositories(make: Callable[[Path], Path], tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    write(origin, {"dvc.yaml": GOOD, "dvc.lock": LOCK})
    git(origin, "init", "-q")
    commit(origin, "one")
    write(origin, {"dvc.lock": LOCK.replace("abc123", "def456")})
    commit(origin, "two")
    clone = make(origin)
    assert [stage.name for stage in read_pipeline(clone, "HEAD").stages] == ["good"]
    assert read_pipeline(clone).stages[0].outs[0].hash is not None
    assert lock_history(clone)[0].outs[0][1].value == "def456"
    assert len(revisions(clone)) >= 2
    if (clone / "dvc.yaml").exists():
        with pytest.raises(NotFound, match="fetch more history"):
            read_pipeline(clone, "HEAD~1")


def test_without_git_there_are_no_revisions(tmp_path: Path) -> None:
    write(tmp_path, {"dvc.yaml": GOOD})
    assert len(read_pipeline(tmp_path).stages) == 1
    assert revisions(tmp_path) == lock_history(tmp_path) == ()
    with pytest.raises(NotFound, match="not in a git repository"):
        read_pipeline(tmp_path, "HEAD")


@pytest.mark.parametrize(
    "revision", ["nope", "--output=x", "HEAD\nHEAD", "", "a" * 300, "../..", "HEAD:dvc.yaml"]
)
def test_a_revision_that_is_none(revision: str, tmp_path: Path) -> None:
    write(tmp_path, {"dvc.yaml": GOOD})
    git(tmp_path, "init", "-q")
    commit(tmp_path, "one")
    with pytest.raises(NotFound):
        read_pipeline(tmp_path, revision or "-")


def test_folders_that_are_no_project(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        read_pipeline(tmp_path / "absent")
    with pytest.raises(NotFound, match="not a DVC project"):
        read_pipeline(tmp_path)
    write(tmp_path, {"team/one/.dvc/config": ""})
    with pytest.raises(NotFound) as several:
        read_pipeline(tmp_path)
    assert "team/one" in several.value.way_out


FAULTY = """\
stages:
  gone: {cmd: x, deps: [absent.csv]}
  silent: {deps: [raw.csv]}
  one: {cmd: x, deps: [b], outs: [a]}
  two: {cmd: x, deps: [a], outs: [b]}
  first: {cmd: x, outs: [same]}
  second: {cmd: x, outs: [same]}
  kept: {cmd: x, outs: [tracked.bin]}
  tuned: {cmd: x, params: [seed, lr], outs: [t]}
"""


def test_what_would_stop_a_run_is_said_before_it(tmp_path: Path) -> None:
    write(tmp_path, {"dvc.yaml": FAULTY, "raw.csv": "a", "tracked.bin": "b", "params.yaml": "seed: 1\n"})
    git(tmp_path, "init", "-q")
    commit(tmp_path, "one")
    found = validate(read_pipeline(tmp_path))
    said = {one.message for one in found if one.severity is Severity.ERROR}
    for words in (
        "stage 'gone': the dependency 'absent.csv' does not exist and no stage makes it",
        "stage 'silent': it has no command (cmd)",
        "stage 'two': stages depend on each other: two -> one -> two",
        "stage 'second': the output 'same' has several stages: first, second",
        "stage 'kept': the output 'tracked.bin' is tracked by git; run 'git rm -r --cached tracked.bin' or set "
        "cache: false",
        "stage 'tuned': the parameter 'lr' is not in params.yaml",
    ):
        assert words in said, said
    assert len(said) == 6 and not is_sound(found)
    never_run = [one for one in found if one.severity is Severity.WARNING]
    assert len(never_run) == 8 and all("no entry in dvc.lock" in one.message for one in never_run)
    assert all(one.file == "dvc.yaml" and one.line for one in found)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12\n"
TRACKED = {
    "dvc.yaml": "stages:\n  good:\n    cmd: run\n    params: [seed]\n    metrics: [m.json: {cache: false}]\n"
    "    plots: [p.csv: {cache: false}]\nparams: [more.py]\n",
    "dvc.lock": LOCK,
    "params.yaml": "seed: 1\n",
    "more.py": "A = 1\n",
    "m.json": '{"auroc": 0.9}',
    "p.csv": "x,y\n1,2\n",
    "raw.csv.dvc": "outs: [{path: raw.csv, md5: abc}]",
}


@pytest.mark.parametrize("file", TRACKED)
@pytest.mark.parametrize("revision", [None, "HEAD"], ids=["working tree", "commit"])
def test_a_git_lfs_pointer_is_told_from_the_file(file: str, revision: str | None, tmp_path: Path) -> None:
    """A clone without ``git lfs pull`` holds pointers: each is named with the command, none is parsed."""
    write(tmp_path, {**TRACKED, file: POINTER})
    git(tmp_path, "init", "-q")
    commit(tmp_path, "one")
    pipeline = read_pipeline(tmp_path, revision)
    measured = (*read_metrics(tmp_path, [revision]), *read_params(tmp_path, [revision]))
    plots = read_plots(tmp_path, [revision])
    found = [*pipeline.findings, *(one for each in measured for one in each.findings), *plots.findings]
    said = {f"{one.file}: {one.message}" for one in found}
    assert said and all("only its Git LFS pointer is here; 'git lfs " in text for text in said), said
    assert all(f"--include {file}' brings it" in text for text in said)
    assert len(stage_states(pipeline)) == len(pipeline.stages)
    lock_history(tmp_path)


def test_what_git_lfs_has_fetched_is_read_at_any_revision(tmp_path: Path) -> None:
    """In a commit an LFS file is always its pointer, also where ``git lfs`` has brought the content."""
    write(tmp_path, {**TRACKED, "m.json": POINTER})
    git(tmp_path, "init", "-q")
    commit(tmp_path, "one")
    write(tmp_path / ".git" / "lfs" / "objects" / "ab" / "ab", {"ab" * 32: '{"auroc": 0.7}'})
    (measures,) = read_metrics(tmp_path, ["HEAD"])
    assert measures.values == {"m.json": {"auroc": 0.7}}


def test_a_lock_never_raises() -> None:
    for data in (
        b"",
        b"null",
        b"3",
        b"stages: 3",
        b"schema: '2.0'\nstages:\n  a: {cmd: x, deps: [1]}",
        b"a: {cmd: 1}",
    ):
        parse_lock("dvc.lock", data)
