"""Real git + DVC projects for the pipeline tests, and DVC's own verdict on them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "DVC_NO_ANALYTICS": "1",
}

PIPELINE = """\
stages:
  prepare:
    cmd: tr a-z A-Z < raw.csv > clean.csv
    deps: [raw.csv]
    outs: [clean.csv]
  split:
    cmd: mkdir -p parts && head -n 2 clean.csv > parts/a.csv && tail -n 1 clean.csv > parts/b.csv
    deps: [clean.csv]
    params: [seed]
    outs: [parts]
  train:
    cmd: cat parts/a.csv > model.bin && echo '{"auroc":0.9,"n":2}' > metrics.json
    deps: [parts, train.py]
    params: [seed, train.lr]
    outs: [model.bin]
    metrics:
    - metrics.json: {cache: false}
"""


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write ``files`` below ``folder``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder`` as Ada; its output."""
    command = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT}
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commit everything; the commit's hash."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def init(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A git + DVC project with ``files``, nothing committed."""
    from dvc.repo import Repo

    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    Repo.init(str(folder)).close()
    write(folder, files)
    return folder


def trained(folder: Path) -> Path:
    """The three-stage project, reproduced and committed."""
    files = {
        "raw.csv": "id,x\na,1\nb,2\n",
        "train.py": "print('train')\n",
        "params.yaml": "seed: 7\ntrain:\n  lr: 1e-3\n",
        "dvc.yaml": PIPELINE,
    }
    init(folder, files)
    dvc(folder, "add", "raw.csv", "-q")
    dvc(folder, "repro", "-q")
    commit(folder, "first run")
    return folder


def dvc(folder: Path, *arguments: str) -> None:
    """Run a DVC command in this process (its start-up would cost a second each time)."""
    from dvc.cli import main

    with chdir(folder):
        code = main(list(arguments))
    if code:
        raise RuntimeError(f"dvc {' '.join(arguments)} ended with {code}")


def dvc_status(folder: Path) -> dict[str, Any]:
    """``dvc status``, flattened to {stage: {(what, subject, change)}}."""
    from dvc.repo import Repo

    with chdir(folder), Repo(str(folder)) as repo:
        return {stage: set(_flat(entries)) for stage, entries in repo.status().items()}


def _flat(entries: list[Any]) -> Iterator[tuple[str, str, str]]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry, "", ""
            continue
        for section, changes in entry.items():
            for path, change in changes.items():
                if isinstance(change, dict):
                    yield from ((section, f"{path}:{key}", state) for key, state in change.items())
                else:
                    yield section, path, change


def dvc_graph(folder: Path) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """DVC's own stages (name -> resolved command) and edges (upstream, downstream)."""
    from dvc.repo import Repo

    with chdir(folder), Repo(str(folder)) as repo:
        stages = {stage.addressing: stage.cmd for stage in repo.index.stages}
        edges = {(before.addressing, after.addressing) for after, before in repo.index.graph.edges}
    return stages, edges


def dvc_lock(folder: Path) -> dict[str, Any]:
    """What DVC knows from dvc.lock: per stage whether the command changed, hashes and sizes, locked params."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    with chdir(folder), Repo(str(folder)) as repo:
        return {stage.addressing: _locked(stage, ParamsDependency) for stage in repo.index.stages}


def _locked(stage: Any, params: type) -> dict[str, Any]:
    items = [item for item in (*stage.deps, *stage.outs) if not isinstance(item, params)]
    return {
        "changed command": bool(stage.cmd_changed),
        "items": {
            item.def_path: (
                item.hash_info.value,
                (item.hash_info.name if item.protocol != "local" else item.hash_name)
                if item.hash_info
                else None,
                item.meta.size,
                item.meta.nfiles,
            )
            for item in items
        },
        "params": {
            item.def_path: item.hash_info.value
            for item in stage.deps
            if isinstance(item, params) and item.hash_info.value
        },
    }
