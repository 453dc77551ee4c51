"""The demo's git and DVC project: each revision changes data, code or params, runs ``dvc repro``, commits.

Nothing depends on the machine: git reads no configuration but what is given here, and no committed file
holds an absolute path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from core.demo import mlflow_store, patients
from core.demo.story import REVISION_STEPS, REVISIONS, Revision, Scale

TEMPLATE = Path(__file__).parent / "template"
RAW = "data/raw/patients.csv"
COHORT_SEED = 2024
_DVC_CONFIG = """\
[core]
    analytics = false
    check_update = false
    remote = storage
['remote "storage"']
    url = ../../dvc-remote
"""


def build(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    """Make ``root/project`` with its history; the stages log to the MLflow store of ``root``."""
    project = root / "project"
    project.mkdir()
    git = _Git(project)
    git("init", "--quiet", "--initial-branch=main")
    cohort = patients.cohort(scale.patients, COHORT_SEED)
    os.chdir(project)
    for number, revision in enumerate(REVISIONS[: scale.revisions]):
        _change(project, revision, cohort, first=number == 0)
        before = mlflow_store.run_ids(root)
        _reproduce(project, revision)
        moment = now - timedelta(days=revision.days_ago)
        for run_id in mlflow_store.run_ids(root) - before:
            mlflow_store.backdate(root, run_id, moment - timedelta(minutes=20))
        git.commit(revision, moment)
        for _ in range(REVISION_STEPS):
            advance()
    _push(project)


def _change(project: Path, revision: Revision, cohort, *, first: bool) -> None:
    if revision.overlay:
        shutil.copytree(
            TEMPLATE / revision.overlay,
            project,
            dirs_exist_ok=True,
            ignore=_no_bytecode,
            copy_function=shutil.copyfile,
        )
    if first:
        from dvc.repo import Repo

        Repo.init(str(project)).close()
        (project / ".dvc" / "config").write_text(_DVC_CONFIG, encoding="utf-8")
    if revision.share:
        rows = cohort.head(round(len(cohort) * revision.share))
        file = project / RAW
        file.parent.mkdir(parents=True, exist_ok=True)
        rows[rows["site"].isin(revision.sites)].to_csv(file, index=False)
        _dvc(project, lambda repo: repo.add(RAW))
    if revision.params:
        _set_params(project / "params.yaml", revision)


def _no_bytecode(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}


def _set_params(file: Path, revision: Revision) -> None:
    import yaml

    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, value in revision.params.items():
        *sections, name = key.split(".")
        target = params
        for section in sections:
            target = target[section]
        target[name] = value
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _reproduce(project: Path, revision: Revision) -> None:
    # getpass, and so MLflow, takes the user's name from here.
    os.environ["LOGNAME"] = revision.author
    _dvc(project, lambda repo: repo.reproduce())


def _push(project: Path) -> None:
    _dvc(project, lambda repo: repo.push(all_commits=True))


def _dvc(project: Path, action: Callable) -> None:
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        action(repo)


class _Git:
    """git in one folder, deaf to the user's and the machine's configuration."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._quiet = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def __call__(self, *arguments: str, **environment: str) -> None:
        subprocess.run(["git", *arguments], cwd=self._folder, env=self._quiet | environment, check=True)

    def commit(self, revision: Revision, moment: datetime) -> None:
        """Everything in one commit in the author's name at that moment, tagged when the revision says so."""
        person = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (
                ("NAME", revision.author.capitalize()),
                ("EMAIL", f"{revision.author}@hospital.example"),
                ("DATE", moment.isoformat(timespec="seconds")),
            )
        }
        self("add", "--all")
        self("commit", "--quiet", "--message", revision.message, **person)
        if revision.tag:
            self("tag", "--annotate", "--message", revision.message, revision.tag, **person)
