"""Odd repositories on the Pipeline and Lineage pages: a graph and a named fault, never a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pipeline_project import commit, git, write

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
STAGE = "stages:\n  good:\n    cmd: run\n    deps: [raw.csv]\n    outs: [x]\n"
LOCK = "schema: '2.0'\nstages:\n  good:\n    cmd: run\n    outs:\n    - {path: x, hash: md5, md5: abc123}\n"


def plain(files: dict[str, str | bytes]) -> Callable[[Path], None]:
    def make(project: Path) -> None:
        write(project, {"dvc.yaml": STAGE, ".dvc/config": "", **files})

    return make


def cloned(*arguments: str) -> Callable[[Path], None]:
    def make(project: Path) -> None:
        origin = project.parent / "origin"
        plain({"dvc.lock": LOCK})(origin)
        git(origin, "init", "-q")
        commit(origin, "one")
        write(origin, {"dvc.lock": LOCK.replace("abc123", "def456")})
        commit(origin, "two")
        git(origin.parent, "clone", "-q", *arguments, f"file://{origin}", str(project))

    return make


def outside(project: Path) -> None:
    write(project.parent / "secret", {"dvc.yaml": STAGE, "p.yaml": "password: hunter2\n"})
    plain({"sub/dvc.yaml": "stages:\n  a:\n    cmd: x\n    params: [{../../secret/p.yaml: }]\n"})(project)
    git(project, "init", "-q")
    (project / "other").mkdir()
    (project / "other" / "dvc.yaml").symlink_to(project.parent / "secret" / "dvc.yaml")


BOMB = "\n".join(
    ["a0: &a0 [x,x,x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)
CYCLE = "stages:\n  one: {cmd: x, deps: [b], outs: [a]}\n  two: {cmd: x, deps: [a], outs: [b]}\n"
CHAIN = "stages:\n" + "".join(f"  s{n}: {{cmd: x, deps: [o{n}], outs: [o{n + 1}]}}\n" for n in range(10_000))
CASES = {
    "no git": (plain({}), ""),
    "bare": (cloned("--bare"), ""),
    "shallow": (cloned("--depth", "1"), ""),
    "cycle": (plain({"dvc.yaml": CYCLE}), "depend on each other"),
    "lock not UTF-8": (plain({"dvc.lock": b"\xff\xfe"}), "not valid UTF-8"),
    "lock of 101 MB": (plain({"dvc.lock": b"#" * (101 << 20)}), "larger than 32 MB"),
    "YAML bomb": (plain({"sub/dvc.yaml": BOMB}), "bomb"),
    "outside": (outside, "outside the repository"),
    "chain of 10,000": (plain({"dvc.yaml": CHAIN}), ""),
}


@pytest.mark.parametrize("name", CASES)
def test_the_pages_stand_and_name_the_fault(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, fault = CASES[name]
    make(tmp_path / "project")
    (tmp_path / "modeldesk.toml").write_text('[dvc]\nprojects = ["project"]\n')
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(tmp_path))
    for page_name in ("pipeline", "lineage"):
        page = AppTest.from_file(str(APP), default_timeout=120)
        if page_name == "pipeline" and fault:
            page.query_params["view"] = "Problems"
        page.switch_page(f"app_pages/{page_name}.py").run()
        assert not page.exception
        texts = [element.value for element in (*page.caption, *page.error, *page.info, *page.warning)]
        tables = [table.value.to_string() for table in page.dataframe]
        said = " ".join((*texts, *tables))
        assert fault in said, said[:2000]
        assert "hunter2" not in said and "Traceback" not in said
