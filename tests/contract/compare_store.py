"""A small real workspace for comparisons: an MLflow SQLite store and a git repository with DVC files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 400
MODEL = "risk"


@dataclass(frozen=True)
class Store:
    """The workspace folder and what is in it, by name."""

    root: Path
    runs: dict[str, str]
    experiments: dict[str, str]
    commits: tuple[str, ...]


def scores(strength: float, seed: int, ids: str = "r") -> pd.DataFrame:
    """Test rows of a model; the stronger the better. Labels and ids are the same for every seed."""
    label = np.random.default_rng(0).integers(0, 2, ROWS)
    noise = np.random.default_rng(seed).normal(size=ROWS)
    score = 1 / (1 + np.exp(-(strength * (2 * label - 1) + noise)))
    rows = [f"{ids}{row:04}" for row in range(ROWS)]
    return pd.DataFrame(
        {"row_id": rows, "label": label, "prediction": (score > 0.5).astype(int), "score": score}
    )


def build(root: Path) -> Store:
    """Fill ``root``: champion and better and twin (paired rows), other split, other data, five seeds x two settings."""
    import mlflow
    from mlflow import MlflowClient

    root.mkdir(parents=True, exist_ok=True)
    (root / "modeldesk.toml").write_text(
        'name = "Compare"\n[mlflow]\ntracking_uri = "sqlite:///mlflow.db"\n[dvc]\nprojects = ["project"]\n'
        '[metric_directions]\ncost = "lower"\n'
    )
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    experiments = {
        name: client.create_experiment(name, (root / "artifacts" / name).as_uri())
        for name in ("risk", "sweep")
    }
    runs: dict[str, str] = {}

    def add(
        name: str, experiment: str, frame: pd.DataFrame | None = None, *, data: str = "d1", **values: dict
    ) -> None:
        run = client.create_run(experiments[experiment], run_name=name)
        runs[name] = run_id = run.info.run_id
        client.set_tag(run_id, "data.hash", data * 16)
        client.set_tag(run_id, "mlflow.source.git.commit", "c" * 40)
        for key, value in values.get("params", {}).items():
            client.log_param(run_id, key, value)
        metrics = dict(values.get("metrics", {}))
        if frame is not None:
            metrics["accuracy"] = float((frame["prediction"] == frame["label"]).mean())
            path = root / f"{name}.parquet"
            frame.rename_axis(None).to_parquet(path, index=False)
            path.rename(root / "scores.parquet")
            client.log_artifact(run_id, str(root / "scores.parquet"), "evaluation")
        for key, value in metrics.items():
            client.log_metric(run_id, key, value)
        client.set_terminated(run_id)

    add(
        "champion",
        "risk",
        scores(1.0, 1),
        params={"depth": "3", "kind": "rf"},
        metrics={"train_seconds": 3.0},
    )
    add("better", "risk", scores(1.8, 2), params={"depth": "9", "kind": "rf"}, metrics={"train_seconds": 9.0})
    add("twin", "risk", scores(1.0, 3), params={"depth": "4", "kind": "rf"}, metrics={"train_seconds": 3.5})
    add("other-split", "risk", scores(1.8, 2, "x"), params={"depth": "9", "kind": "rf"})
    add("other-data", "risk", scores(1.8, 2), data="e2", params={"depth": "9", "kind": "rf"})
    for depth in (1, 2):
        for seed in range(5):
            params = {"depth": str(depth), "seed": str(seed), "kind": "gb"}
            cost = 10 - depth + seed / 10 + (0.03 if seed % 2 else 0)
            add(f"sweep-{depth}-{seed}", "sweep", params=params, metrics={"cost": cost, "odd": float("nan")})
    for step in range(20):
        client.log_metric(runs["sweep-1-0"], "val_loss", 1 / (step + 1), step=step)
    client.create_registered_model(MODEL)
    for name in ("champion", "better"):
        client.create_model_version(MODEL, f"runs:/{runs[name]}/model", runs[name])
    client.set_registered_model_alias(MODEL, "champion", "1")
    mlflow.set_tracking_uri(None)
    return Store(root, runs, experiments, _repository(root / "project"))


def _repository(project: Path) -> tuple[str, ...]:
    """Two commits of a DVC project whose params and metrics differ."""
    project.mkdir()

    def git(*words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        done = subprocess.run(
            ["git", *identity, *words], cwd=project, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("")
    (project / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: echo\n    params: [train.depth, train.lr]\n"
        "    metrics:\n    - metrics.json:\n        cache: false\n"
    )
    commits = []
    for depth, auroc in ((3, 0.81), (5, 0.84)):
        (project / "params.yaml").write_text(f"train:\n  depth: {depth}\n  lr: 0.10\n")
        (project / "metrics.json").write_text(f'{{"auroc": {auroc}, "rows": 400}}')
        git("add", "-A")
        git("commit", "-q", "-m", f"depth {depth}")
        commits.append(git("rev-parse", "HEAD"))
    return tuple(commits)
