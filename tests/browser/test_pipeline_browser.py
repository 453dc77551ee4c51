"""Reproducing from the page: the job outlives the tab, shows its progress and log, and can be cancelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.pipeline.jobs import JobState, jobs, wait
from core.workspace import open_workspace
from tests.pipeline_project import ENVIRONMENT, PIPELINE, trained, write

HELD = PIPELINE.replace(
    "cat parts/a.csv >", "echo now training; while [ ! -e go ]; do sleep 0.1; done; cat parts/a.csv >"
)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reproduced project whose seed and training command have changed since; training waits for a file ``go``."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    project = trained(tmp_path / "project")
    write(project, {"params.yaml": "seed: 8\ntrain:\n  lr: 1e-3\n", "dvc.yaml": HELD.replace("0.9", "0.95")})
    (tmp_path / "modeldesk.toml").write_text('[dvc]\nprojects = ["project"]\n')
    return tmp_path


def start(tab) -> None:
    tab.page.get_by_role("button", name="Reproduce…").click()
    tab.page.get_by_text("DVC will look at 3 stages in this order: prepare → split → train.").wait_for()
    tab.page.get_by_role("button", name="Start").click()


def test_a_reproduction_outlives_its_tab_and_is_reported(
    workspace: Path, serve: Callable[..., str], open_tab
) -> None:
    url = serve(workspace)
    tab = open_tab(url)
    page = tab.open("/pipeline")
    assert (
        "2 of 3 stages are not current. It begins with split: param params.yaml:seed modified" in tab.text()
    )
    start(tab)
    running = page.locator(".st-key-running_job")
    running.get_by_text("now training", exact=True).wait_for()
    assert "2 of 3 stages are done" in running.inner_text()
    page.close()
    project = workspace / "project"
    (job,) = jobs(project)
    assert job.state is JobState.RUNNING
    again = open_tab(url, 390, 844)
    phone = again.open("/pipeline")
    phone.locator(".st-key-running_job").get_by_text("now training", exact=True).wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    assert phone.get_by_role("button", name="Reproduce…").count() == 0
    (project / "go").touch()
    phone.get_by_text("Last job (dvc repro)").wait_for()
    again.settle()
    assert (
        "All 3 stages are up to date" in again.text() or "Nothing is known to be out of date" in again.text()
    )
    phone.get_by_text("Last job (dvc repro)").click()
    phone.get_by_text("Metrics that changed").wait_for()
    done = wait(project, job.job_id, timeout_s=5)
    assert done.state is JobState.SUCCEEDED
    events = [record.kind for record in open_workspace(workspace).ledger.records()]
    assert events == ["pipeline_started"]


def test_a_running_job_is_cancelled_from_the_page(
    workspace: Path, serve: Callable[..., str], open_tab
) -> None:
    tab = open_tab(serve(workspace))
    page = tab.open("/pipeline")
    start(tab)
    page.locator(".st-key-running_job").get_by_text("now training", exact=True).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("cancelled").wait_for()
    (job,) = jobs(workspace / "project")
    assert job.state is JobState.CANCELLED
    page.get_by_role("button", name="Reproduce…").wait_for()
    kinds = [record.kind for record in open_workspace(workspace).ledger.records()]
    assert kinds == ["pipeline_started", "pipeline_cancelled"]
