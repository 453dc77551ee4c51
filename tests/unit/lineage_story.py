"""A small history with known answers, drawn as records: no store, no git.

    c0 --- c1 ----------- c2 ---------------- c3
           raw A, lr 0.1  raw B, lr 0.1       raw B, lr 0.2

Each of c1 to c3 brings new lock entries for prepare (where raw changed) and train. Run ``r1`` was logged while
HEAD was c0, ``r2`` while it was c1, ``r3`` while it was c2. ``r4`` has no stage, only the hash of A's features.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.experiments.types import Dataset, Run
from core.lineage.build import Material, assemble
from core.lineage.records import (
    CommitRecord,
    DeploymentRecord,
    FileRecord,
    PredictionLogRecord,
    ProjectRecord,
    StageRecord,
)
from core.lineage.types import Graph
from core.registry.types import ModelVersion

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SHAS = {name: (name * 20) for name in ("c0", "c1", "c2", "c3")}
RAW_A, RAW_B = "a" * 32, "b" * 32
FEATURES_A, FEATURES_B = "fa" * 16, "fb" * 16
MODEL_1, MODEL_2, MODEL_3 = "01" * 16, "02" * 16, "03" * 16


def commits() -> tuple[CommitRecord, ...]:
    """c3 to c0, an hour apart."""
    names = list(SHAS)
    return tuple(
        CommitRecord(
            sha=SHAS[name],
            at=START + timedelta(hours=index),
            parents=(SHAS[names[index - 1]],) if index else (),
            author="Ada",
            subject=f"commit {name}",
            names=("main", "HEAD") if name == "c3" else (),
        )
        for index, name in reversed(list(enumerate(names)))
    )


def prepare(raw: str, features: str, introduced: str, held: str, *, current: bool) -> StageRecord:
    """The stage that turns raw data into features."""
    return StageRecord(
        project="clinic",
        address="prepare",
        command="python prepare.py",
        deps=(FileRecord(path="data/raw.csv", digest=raw, size=100),),
        outs=(FileRecord(path="data/features.parquet", digest=features, size=50),),
        digest=f"prepare{raw[0]}",
        introduced=(SHAS[introduced],),
        commits=frozenset(SHAS[name] for name in held.split()),
        current=current,
        state="up-to-date" if current else "",
    )


def train(features: str, model: str, lr: float, held: str, *, current: bool = False) -> StageRecord:
    """The stage that trains."""
    return StageRecord(
        project="clinic",
        address="train",
        command="python train.py",
        deps=(FileRecord(path="data/features.parquet", digest=features, size=50),),
        outs=(FileRecord(path="models/model.pkl", digest=model, size=10),),
        params={"train": {"lr": lr, "seed": 7}},
        digest=f"train{model[:4]}",
        introduced=(SHAS[held],),
        commits=frozenset({SHAS[held]}),
        current=current,
    )


def project() -> ProjectRecord:
    """The project ``clinic`` with its whole history."""
    return ProjectRecord(
        name="clinic",
        root=Path("/data/clinic"),
        commits=commits(),
        stages=(
            prepare(RAW_A, FEATURES_A, "c1", "c1", current=False),
            prepare(RAW_B, FEATURES_B, "c2", "c2 c3", current=True),
            train(FEATURES_A, MODEL_1, 0.1, "c1"),
            train(FEATURES_B, MODEL_2, 0.1, "c2"),
            train(FEATURES_B, MODEL_3, 0.2, "c3", current=True),
        ),
    )


def run(
    run_id: str,
    *,
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    head: str | None = None,
    name: str = "fit",
    datasets: tuple[Dataset, ...] = (),
) -> Run:
    """A run that began ten minutes after the commit ``head``."""
    told = dict(tags or {})
    begun = START
    if head:
        told["mlflow.source.git.commit"] = SHAS[head]
        begun = START + timedelta(hours=int(head[1]), minutes=10)
    return Run(
        run_id=run_id * 16,
        name=name,
        experiment="clinic",
        experiment_id="1",
        status="FINISHED",
        start_time=begun,
        tags=told,
        params=params or {},
        datasets=datasets,
    )


STAGE = {"dvc.stage": "train", "dvc.root": "/elsewhere/clinic"}


def runs() -> tuple[Run, ...]:
    """r1 to r4 of the docstring."""
    return (
        run("r1", tags={**STAGE, "data.hash": FEATURES_A}, params={"lr": "0.1"}, head="c0"),
        run("r2", tags=STAGE, params={"lr": "0.1"}, head="c1"),
        run("r3", tags=STAGE, params={"lr": "0.2"}, head="c2"),
        run("r4", tags={"data.hash": FEATURES_A}, name="notebook"),
    )


def versions() -> tuple[ModelVersion, ...]:
    """``risk`` 1 to 4 from r1 to r4, and ``risk-prod`` 1, a copy of version 1."""
    own = [ModelVersion(model="risk", version=n, run_id=f"r{n}" * 16, created_at=START) for n in range(1, 5)]
    copy = ModelVersion(model="risk-prod", version=1, source="models:/risk/1", aliases=("champion",))
    return (*own, copy)


def material() -> Material:
    """Everything of the story."""
    return Material(
        projects=(project(),),
        runs=runs(),
        versions=versions(),
        deployments=(
            DeploymentRecord(
                model="risk",
                environment="production",
                version=2,
                key="11",
                since=START,
                until=START + timedelta(days=1),
                approved_by=("Grace",),
            ),
            DeploymentRecord(
                model="risk",
                environment="production",
                version=1,
                key="12",
                since=START + timedelta(days=1),
                by="Ada",
                approved_by=("Grace", "Lin"),
            ),
        ),
        logs=(PredictionLogRecord(model="risk", environment="production", path="predictions/risk"),),
    )


def story() -> Graph:
    """The graph of the story."""
    return assemble(material())
