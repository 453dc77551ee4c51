"""Reproductions as jobs: followed, exclusive per repository, cancellable, reported."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pipeline_project import ENVIRONMENT, PIPELINE, trained, write

from core.errors import BadInput, Conflict, NotFound
from core.pipeline.jobs import (
    Job,
    JobState,
    StageOutcome,
    cancel,
    jobs,
    lock_holder,
    log_tail,
    read_job,
    repro_command,
    running,
    start,
    wait,
)

ALL = ("repro", "--")
PARAMS = "seed: {seed}\ntrain:\n  lr: 1e-3\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return trained(tmp_path / "project")


def outcomes(job: Job) -> dict[str, StageOutcome]:
    return {stage.name: stage.state for stage in job.stages}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def slow(project: Path) -> None:
    write(project, {"dvc.yaml": PIPELINE.replace("cat parts/a.csv", "sleep 60; cat parts/a.csv")})


def test_what_ran_what_was_cached_and_what_changed(project: Path) -> None:
    better = PIPELINE.replace("0.9", "0.95")
    write(project, {"params.yaml": PARAMS.format(seed=8), "dvc.yaml": better})
    job = wait(project, start(project, ALL, actor="ada").job_id, timeout_s=60)
    assert job.state is JobState.SUCCEEDED
    unchanged, ran = StageOutcome.UNCHANGED, StageOutcome.RAN
    assert outcomes(job) == {"raw.csv.dvc": unchanged, "prepare": unchanged, "split": ran, "train": ran}
    assert job.report is not None
    (change,) = job.report["metric_changes"]
    assert (change["key"], change["before"], change["after"]) == ("auroc", 0.9, 0.95)
    assert job.report["params"]["params.yaml"]["seed"] == 8
    assert (job.report["actor"], job.report["git"]["after"]["dirty"]) == ("ada", True)
    assert "Running stage 'train'" in log_tail(project, job.job_id)

    write(project, {"params.yaml": PARAMS.format(seed=7), "dvc.yaml": PIPELINE})
    again = wait(project, start(project, ALL).job_id, timeout_s=60)
    assert outcomes(again)["train"] is StageOutcome.CACHED
    assert [one.job_id for one in jobs(project)] == [again.job_id, job.job_id]


def test_one_at_a_time_and_cancelled_within_seconds(project: Path) -> None:
    slow(project)
    job = start(project, ALL)
    until(lambda: outcomes(read_job(project, job.job_id)).get("train") is StageOutcome.RUNNING)
    current = running(project)
    assert current is not None and current.job_id == job.job_id
    with pytest.raises(Conflict, match=job.job_id):
        start(project, ALL)
    cancel(project, job.job_id)
    ended = wait(project, job.job_id, timeout_s=20)
    assert ended.state is JobState.CANCELLED
    until(lambda: lock_holder(project) is None)
    with pytest.raises(Conflict, match="not running"):
        cancel(project, job.job_id)


def test_a_runner_that_was_killed_is_interrupted_and_frees_the_lock(project: Path) -> None:
    slow(project)
    job = start(project, ALL)
    until(lambda: outcomes(read_job(project, job.job_id)).get("train") is StageOutcome.RUNNING)
    holder = lock_holder(project)
    assert holder is not None and holder[1] is not None
    children = Path(f"/proc/{holder[1]}/task/{holder[1]}/children").read_text().split()
    os.kill(holder[1], signal.SIGKILL)
    for child in children:
        os.killpg(int(child), signal.SIGKILL)
    until(lambda: read_job(project, job.job_id).state is JobState.INTERRUPTED)
    assert running(project) is None


def test_a_stage_that_fails_says_so(project: Path) -> None:
    write(project, {"dvc.yaml": PIPELINE.replace("cat parts/a.csv", "false && cat parts/a.csv")})
    job = wait(project, start(project, ALL).job_id, timeout_s=60)
    assert job.state is JobState.FAILED
    assert outcomes(job)["train"] is StageOutcome.FAILED
    assert job.error is not None and "train" in job.error


def test_a_runner_that_ends_while_it_is_looked_at_was_not_interrupted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = wait(project, start(project, ("repro", "--", "prepare")).job_id, timeout_s=60)
    journal = job.folder / "journal.jsonl"
    whole = journal.read_text()
    journal.write_text("".join(whole.splitlines(keepends=True)[:-1]))

    def ends_now(root: Path) -> None:
        journal.write_text(whole)

    monkeypatch.setattr("core.pipeline.jobs.lock_holder", ends_now)
    assert read_job(project, job.job_id) == job


def test_names_are_checked_before_dvc_sees_them(project: Path) -> None:
    known = ["train", "split"]
    assert repro_command(["train"], known, force=True) == ("repro", "--force", "--", "train")
    with pytest.raises(BadInput, match="train"):
        repro_command(["trian"], known)
    with pytest.raises(BadInput):
        repro_command(["--run-all"], known)
    with pytest.raises(BadInput, match="needs a stage"):
        repro_command([], known, downstream=True)
    with pytest.raises(NotFound):
        read_job(project, "../../etc")
