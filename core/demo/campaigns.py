"""What the teams tried in their notebooks: settings by seeds, sweeps, and the odd runs real stores hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.demo import learning
from core.demo.learning import BOOSTING, FOREST, LOGISTIC, Split
from core.demo.mlflow_runs import PlannedRun, Recorder
from core.demo.stays import stays
from core.demo.story import Scale

if TYPE_CHECKING:
    import pandas as pd

PARENT = "mlflow.parentRunId"
_TRIAGE_SETTINGS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    LOGISTIC: tuple({"C": value} for value in (0.001, 0.01, 0.1, 1.0)),
    FOREST: tuple({"n_estimators": 60, "max_depth": depth} for depth in (2, 4, 8, 1)),
    BOOSTING: tuple({"max_iter": 60, "learning_rate": rate} for rate in (0.05, 0.1, 0.3, 0.01)),
}
_STAY_SETTINGS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    LOGISTIC: tuple({"C": value} for value in (1.0, 0.05)),
    FOREST: tuple({"n_estimators": 80, "max_depth": depth, "min_samples_leaf": 5} for depth in (4, 9)),
    BOOSTING: tuple({"max_iter": 80, "learning_rate": rate, "max_leaf_nodes": 8} for rate in (0.1, 0.03)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One team's experiment: every setting with every seed, one person a model type."""

    experiment: str
    data: Split
    settings: Mapping[str, tuple[Mapping[str, Any], ...]]
    users: tuple[str, str, str]
    seeds: int
    first_day: float
    days: float

    def runs(self, now: datetime, limit: int) -> Iterator[PlannedRun]:
        """The planned runs, evenly over the days; the first seed of each setting keeps its model."""
        settings = [
            (model_type, setting, user)
            for (model_type, choices), user in zip(self.settings.items(), self.users, strict=True)
            for setting in choices[:limit]
        ]
        for number, (model_type, setting, user) in enumerate(settings):
            started = now - timedelta(days=self.first_day - self.days * number / len(settings))
            for seed in range(1, self.seeds + 1):
                yield PlannedRun(
                    experiment=self.experiment,
                    name=f"{model_type}-{number + 1}-s{seed}",
                    data=self.data,
                    model_type=model_type,
                    settings=setting,
                    seed=seed,
                    user=user,
                    started=started + timedelta(minutes=9 * seed),
                    keep_model=seed == 1,
                )


def triage(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    """The triage experiment and the versions of ``biopsy-triage``."""
    data = _breast_cancer()
    campaign = Campaign(
        experiment="triage", data=data, settings=_TRIAGE_SETTINGS, users=("dara", "ana", "chen"),
        seeds=scale.seeds, first_day=86, days=70,
    )  # fmt: skip
    recorder = Recorder(root)
    kept = _record(recorder, campaign.runs(now, scale.settings), advance)
    _register(recorder, "biopsy-triage", kept, more=2)


def readmission(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    """The readmission experiment, the odd runs, and the versions of ``readmission-30d``."""
    data = learning.split("stays-train", "warehouse/stays.parquet", *stays(2400, seed=31), seed=3)
    campaign = Campaign(
        experiment="readmission", data=data, settings=_STAY_SETTINGS, users=("chen", "dara", "ana"),
        seeds=scale.seeds, first_day=58, days=50,
    )  # fmt: skip
    recorder = Recorder(root)
    kept = _record(recorder, campaign.runs(now, scale.settings), advance)
    _register(recorder, "readmission-30d", kept, more=0)
    sweep(recorder, "readmission", data, "ana", now - timedelta(days=6), advance)
    _odd_runs(recorder, data, now, advance)


def diagnosis(root: Path, scale: Scale, now: datetime, advance: Callable[[], None]) -> None:
    """Notebook runs on the pipeline's own features, beside the runs of ``dvc repro``."""
    data = _pipeline_features(root / "project")
    campaign = Campaign(
        experiment="diagnosis", data=data, settings=_STAY_SETTINGS, users=("ana", "dara", "chen"),
        seeds=min(scale.seeds, 2), first_day=8, days=6,
    )  # fmt: skip
    recorder = Recorder(root)
    _record(recorder, campaign.runs(now, scale.settings), advance)
    sweep(recorder, "diagnosis", data, "chen", now - timedelta(days=5), advance)


def sweep(
    recorder: Recorder,
    experiment: str,
    data: Split,
    user: str,
    started: datetime,
    advance: Callable[[], None],
) -> None:
    """A parent run with one child a learning rate."""
    rates = (0.02, 0.05, 0.1, 0.2, 0.4)
    parent = recorder.open_parent(experiment, "sweep-learning-rate", user, {"rates": len(rates)})
    for number, rate in enumerate(rates):
        recorder.record(
            PlannedRun(
                experiment=experiment,
                name=f"rate-{rate}",
                data=data,
                model_type=BOOSTING,
                settings={"max_iter": 50, "learning_rate": rate, "max_leaf_nodes": 8},
                seed=1,
                user=user,
                started=started + timedelta(minutes=1 + 4 * number),
                tags={PARENT: parent},
            )
        )
        advance()
    recorder.close_parent(parent, started, started + timedelta(minutes=4 * len(rates) + 2))


def _odd_runs(recorder: Recorder, data: Split, now: datetime, advance: Callable[[], None]) -> None:
    usual = PlannedRun(
        experiment="readmission", name="ablation/no-drugs 🧪", data=_without(data, "drugs"), model_type=BOOSTING,
        settings={"max_iter": 80, "learning_rate": 0.1, "max_leaf_nodes": 8}, seed=1, user="dara",
        started=now - timedelta(days=4),
    )  # fmt: skip
    recorder.record(usual)
    other = learning.split(data.name, data.source, *stays(2400, seed=31), seed=8)
    recorder.record(
        replace(usual, name="other-test-split", data=other, user="ana", started=now - timedelta(days=3))
    )
    # So shallow a forest predicts nobody as readmitted: its precision is really undefined.
    stump = {"n_estimators": 20, "max_depth": 1, "min_samples_leaf": 300}
    recorder.record(
        replace(
            usual, name="stumps", data=data, model_type=FOREST, settings=stump,
            started=now - timedelta(days=2, hours=3),
        )
    )  # fmt: skip
    # scikit-learn refuses a negative learning rate: the run fails as a person's would.
    wrong = {"max_iter": 80, "learning_rate": -0.1}
    recorder.record(
        replace(usual, name="wrong-sign", data=data, settings=wrong, started=now - timedelta(days=1, hours=5))
    )
    going = replace(usual, name="night-run", data=data, user="chen", started=now - timedelta(minutes=14))
    recorder.leave_running(going, rounds=25)
    advance()


def _record(
    recorder: Recorder, plans: Iterator[PlannedRun], advance: Callable[[], None]
) -> list[tuple[PlannedRun, str]]:
    kept = []
    for plan in plans:
        run_id = recorder.record(plan)
        if plan.keep_model:
            kept.append((plan, run_id))
        advance()
    return kept


def _register(recorder: Recorder, model: str, kept: list[tuple[PlannedRun, str]], more: int) -> None:
    """One version for the first setting of each model type, then ``more`` of the other boosted ones."""
    first = {plan.model_type: (plan, run_id) for plan, run_id in reversed(kept)}
    others = [pair for pair in kept if pair[0].model_type == BOOSTING and pair != first[BOOSTING]]
    for plan, run_id in [first[LOGISTIC], first[FOREST], first[BOOSTING], *others[:more]]:
        described = ", ".join(f"{key} {value}" for key, value in plan.settings.items())
        words = f"{plan.model_type.replace('_', ' ').capitalize()} with {described}."
        recorder.register(model, run_id, words, plan.started + timedelta(hours=2))


def _without(data: Split, column: str) -> Split:
    return replace(data, train=data.train.drop(columns=column), test=data.test.drop(columns=column))


def _breast_cancer() -> Split:
    import pandas as pd
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    features: pd.DataFrame = bunch.data
    features.index = pd.Index([f"b-{number:04d}" for number in range(len(features))], name="row_id")
    # scikit-learn codes malignant as 0; here 1 is what triage looks for.
    labels = pd.Series(1 - bunch.target.to_numpy(), index=features.index, name="label")
    return learning.split(
        "breast-cancer-train", "sklearn.datasets.load_breast_cancer", features, labels, seed=5
    )


def _pipeline_features(project: Path) -> Split:
    import hashlib

    import pandas as pd

    file = project / "data" / "features" / "train.parquet"
    train = pd.read_parquet(file)
    test = pd.read_parquet(file.with_name("test.parquet")).set_index("patient_id")
    return Split(
        name="patients-train",
        source="data/features/train.parquet",
        train=train.drop(columns="label"),
        train_labels=train["label"],
        test=test.drop(columns="label"),
        test_labels=test["label"],
        digest=hashlib.md5(file.read_bytes()).hexdigest(),
    )
