"""The Pipeline page: is everything current, what differs between revisions, who may run it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pipeline_project import ENVIRONMENT, commit, dvc, trained, write

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PLOTS = """\
  plot:
    cmd: printf 'step,loss\\n1,0.5\\n2,0.4\\n' > curve.csv && cp pixel.src pixel.png
    deps: [model.bin, pixel.src]
    plots:
    - curve.csv: {x: step, y: loss, title: Loss, cache: false}
    - pixel.png: {cache: false}
"""
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a reproduced project of two commits: seed 7, then seed 8 with plots."""
    root = tmp_path_factory.mktemp("pipeline")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        project = trained(root / "project")
        text = (project / "dvc.yaml").read_text()
        write(
            project,
            {
                "dvc.yaml": text.replace("0.9", "0.95") + PLOTS,
                "params.yaml": "seed: 8\ntrain:\n  lr: 1e-3\n",
                "pixel.src": PIXEL,
            },
        )
        dvc(project, "repro", "-q")
        commit(project, "seed 8")
    (root / "modeldesk.toml").write_text('[dvc]\nprojects = ["project"]\n')
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "workspace", symlinks=True))


@pytest.fixture
def visit(root: Path, monkeypatch: pytest.MonkeyPatch):
    def run(folder: Path = root) -> AppTest:
        monkeypatch.setenv("MODELDESK_WORKSPACE", str(folder))
        page = AppTest.from_file(str(APP), default_timeout=60).switch_page("app_pages/pipeline.py").run()
        assert not page.exception
        return page

    return run


def said(page: AppTest) -> str:
    texts = (*page.markdown, *page.caption, *page.info, *page.warning, *page.success, *page.error, *page.code)
    return " ".join(element.value.replace("\\", "") for element in texts)


def test_what_is_not_current_and_why_comes_first(visit, root: Path) -> None:
    page = visit()
    assert "Nothing is known to be out of date" in said(page)  # parts/ is a folder: its content is not read
    page.button(key="check_files").click().run()
    assert "All 4 stages are up to date" in said(page)
    write(root / "project", {"params.yaml": "seed: 9\ntrain:\n  lr: 1e-3\n"})
    page = visit()
    assert "3 of 4 stages are not current.** It begins with split: param params.yaml:seed modified" in said(
        page
    )
    table = page.dataframe[0].value.set_index("stage")
    assert table.loc["plot", "state"] == "◇ STALE"


def test_metrics_params_and_plots_of_two_revisions(visit) -> None:
    page = visit()
    page.segmented_control(key="view").set_value("Compare revisions").run()
    older = next(option for option in page.multiselect(key="revisions").options if "first run" in option)
    page.multiselect(key="revisions").set_value([older.split(" ")[0], "working tree"]).run()
    assert not page.exception
    metrics, params = (table.value for table in page.dataframe[:2])
    assert metrics.set_index("metric").loc["auroc"].tolist()[1:] == ["0.9", "0.95", "+0.05"]
    assert params["param"].tolist() == ["seed"]
    assert "1 params are the same" in said(page)
    assert len(page.get("plotly_chart")) == 1 and page.image[0].captions == ["working tree"]


def test_what_only_dvc_s_remote_holds_is_named_and_can_be_brought(visit, root: Path) -> None:
    project = root / "project"
    text = (project / "dvc.yaml").read_text().replace("metrics.json: {cache: false}", "metrics.json")
    write(project, {"dvc.yaml": text})
    dvc(project, "repro", "-q")
    (project / "metrics.json").unlink()
    shutil.rmtree(project / ".dvc" / "cache")
    page = visit()
    page.segmented_control(key="view").set_value("Compare revisions").run()
    page.multiselect(key="revisions").set_value(["working tree"]).run()
    assert "`metrics.json` at working tree" in said(page)
    bring = next(button for button in page.button if button.label == "Bring metrics.json")
    assert bring.help == "dvc pull metrics.json"


def test_problems_are_named_and_block_the_start(visit, root: Path) -> None:
    (root / "project" / "train.py").unlink()
    page = visit()
    page.segmented_control(key="view").set_value("Problems").run()
    assert "'train.py' does not exist" in page.dataframe[0].value["what"][0]
    page.button(key="open_reproduce").click().run()
    assert page.button(key="confirm_reproduce").disabled


def test_who_may_not_run_pipelines_is_told_why(visit, root: Path) -> None:
    (root / "modeldesk.toml").write_text(
        '[dvc]\nprojects = ["project"]\n[[access.users]]\nname = "eve"\ndemo = true\n'
        '[[access.grants]]\nuser = "eve"\nrole = "viewer"\n'
    )
    page = visit()
    assert not page.button(key="open_reproduce").disabled
    page.selectbox(key="act_as").select("eve").run()
    start = page.button(key="open_reproduce")
    assert start.disabled and "'run-pipeline' needs" in start.help


def test_without_a_project_the_page_says_what_to_do(visit, tmp_path: Path) -> None:
    (tmp_path / "modeldesk.toml").write_text('name = "Empty"\n')
    page = visit(tmp_path)
    assert "No DVC project yet" in said(page)
