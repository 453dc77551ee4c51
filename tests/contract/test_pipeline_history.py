"""Revisions, lock history, GTO tags, metrics and params over git and DVC's cache."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pipeline_project import ENVIRONMENT, PIPELINE, commit, dvc, git, init, trained, write

from core.pipeline.history import lock_history
from core.pipeline.measures import differences, read_metrics, read_params
from core.pipeline.plots import read_plots
from core.pipeline.read import read_pipeline
from core.pipeline.revisions import commits, current_assignments, gto_events, revisions
from core.pipeline.types import RevisionKind

PARAMS = "seed: {seed}\ntrain:\n  lr: 1e-3\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """first run - second run - merge, with `side` (third run) and one experiment."""
    folder = tmp_path_factory.mktemp("history") / "project"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        trained(folder)
        run_with(folder, 8, "0.91", "second run")
        git(folder, "checkout", "-q", "-b", "side")
        run_with(folder, 9, "0.92", "third run")
        git(folder, "checkout", "-q", "-")
        write(folder, {"README": "text"})
        commit(folder, "no run")
        git(folder, "merge", "-q", "--no-ff", "-m", "merged", "side")
        dvc(folder, "exp", "run", "-q", "-n", "tuned", "-S", "seed=11")
        git(folder, "reset", "-q", "--hard")
    return folder


def run_with(folder: Path, seed: int, auroc: str, message: str) -> None:
    write(folder, {"params.yaml": PARAMS.format(seed=seed), "dvc.yaml": PIPELINE.replace("0.9", auroc)})
    dvc(folder, "repro", "-q")
    commit(folder, message)


def test_each_run_is_recorded_once_by_the_commit_that_stored_it(project: Path) -> None:
    history = lock_history(project)
    subjects = {one.commit: one.subject for one in commits(project)}
    trains = [record for record in history if record.stage == "train"]
    told = [(subjects.get(one.commit), one.experiment, one.params["params.yaml"]["seed"]) for one in trains]
    assert sorted(told, key=lambda one: one[2]) == [
        ("first run", None, 7),
        ("second run", None, 8),
        ("third run", None, 9),
        (None, "tuned", 11),
    ]
    assert [one.stage for one in history if one.stage in ("prepare", "raw.csv.dvc")] == [
        "prepare",
        "raw.csv.dvc",
    ]
    (raw,) = (one for one in history if one.stage == "raw.csv.dvc")
    assert ("raw.csv", raw.outs[0][1]) in next(one for one in history if one.stage == "prepare").deps
    assert all(one.experiment is None for one in lock_history(project, experiments=False))


def test_revisions_have_names(project: Path) -> None:
    found = {(one.kind, one.name): one for one in revisions(project)}
    tuned = found[RevisionKind.EXPERIMENT, "tuned"]
    assert tuned.baseline == git(project, "rev-parse", "HEAD")
    assert (RevisionKind.BRANCH, "side") in found
    assert read_pipeline(project, "tuned").revision == tuned.commit
    assert len([one for one in found.values() if one.kind is RevisionKind.COMMIT]) == 5


def test_metrics_and_params_side_by_side(project: Path) -> None:
    asked = ["HEAD~2", "side", "tuned", None]
    auroc = [one.values["metrics.json"]["auroc"] for one in read_metrics(project, asked)]
    assert auroc == [0.91, 0.92, 0.92, 0.92]
    (seed,) = differences(read_params(project, asked))
    assert (seed.key, seed.values, seed.delta) == ("seed", (8, 9, 11, 9), 1)


def test_metrics_agree_with_dvc(project: Path) -> None:
    from dvc.api import metrics_show, params_show

    for revision in ("HEAD~2", "side"):
        expected: dict[str, Any] = metrics_show(repo=str(project), rev=revision)
        (ours,) = read_metrics(project, [revision])
        assert ours.values["metrics.json"] == expected
        (params,) = read_params(project, [revision])
        theirs = params_show(repo=str(project), rev=revision)
        assert params.values["params.yaml"]["seed"] == theirs["seed"]


def test_cached_metrics_and_plots_come_from_the_cache_or_say_where_they_are(tmp_path: Path) -> None:
    text = (
        "stages:\n  run:\n    cmd: echo '{\"a\":1}' > m.json && printf 'x,y\\n1,2\\n' > p.csv\n    deps: [d]\n"
        "    metrics: [m.json]\n    plots:\n    - p.csv: {x: x, y: y, title: P}\n"
    )
    init(tmp_path, {"d": "1", "dvc.yaml": text})
    dvc(tmp_path, "repro", "-q")
    commit(tmp_path, "run")
    assert read_metrics(tmp_path, ["HEAD"])[0].values == {"m.json": {"a": 1}}
    (plot,) = read_plots(tmp_path, ["HEAD"]).plots
    assert (plot.points, plot.options["title"]) == (({"x": 1.0, "y": 2.0},), "P")
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    (measures,) = read_metrics(tmp_path, ["HEAD"])
    assert measures.values == {}
    assert [one.way_out for one in measures.stored] == ["dvc fetch --all-commits m.json"]
    (plot,) = read_plots(tmp_path, ["HEAD"]).plots
    assert plot.stored is not None and plot.points == ()


def test_working_folders_count_in_the_history(tmp_path: Path) -> None:
    text = "vars: [{w: work}]\nstages:\n  run: {cmd: cp ../d o, wdir: '${w}', deps: [../d], outs: [o]}\n"
    init(tmp_path, {"sub/d": "1", "sub/work/.keep": "", "sub/dvc.yaml": text})
    dvc(tmp_path, "repro", "-q", "sub/dvc.yaml")
    commit(tmp_path, "run")
    (record,) = lock_history(tmp_path)
    assert record.stage == "sub/dvc.yaml:run"
    assert [path for path, _ in (*record.deps, *record.outs)] == ["sub/d", "sub/work/o"]
    (inner,) = lock_history(tmp_path / "sub")
    assert (inner.stage, inner.outs[0][0]) == ("run", "work/o")


def test_gto_tags_agree_with_gto(tmp_path: Path) -> None:
    from gto.api import history as gto_history

    git(tmp_path, "init", "-q")
    write(tmp_path, {"x": "1"})
    commit(tmp_path, "one")
    for tag in ("clf@v0.1.0", "clf#prod#1", "deep/er=other@v1.0.0", "clf#dev#2", "clf#dev!#3"):
        git(tmp_path, "tag", "-a", "-m", f"made {tag}", tag)
    git(tmp_path, "tag", "clf@v9.9.9")
    git(tmp_path, "tag", "-a", "-m", "release", "not an event".replace(" ", "."))
    events = gto_events(tmp_path)
    theirs = {row["ref"] for row in gto_history(str(tmp_path)) if row["event"] != "commit"}
    assert {event.tag for event in events} == theirs
    assert {key: event.tag for key, event in current_assignments(events).items()} == {
        ("clf", "prod"): "clf#prod#1"
    }
    assert {event.artifact for event in events} == {"clf", "deep/er:other"}
    assert events[0].author == "Ada"
