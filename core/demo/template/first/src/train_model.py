"""Stage train_model: fit the model that params.yaml names and log it to MLflow."""

import hashlib
import time
from importlib.metadata import version
from pathlib import Path

import joblib
import mlflow
import mlflow.sklearn
import models
import pandas as pd
import tracking
import yaml
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

TRAIN = Path("data/features/train.parquet")
MODEL = Path("models/model.joblib")
RUN_ID = Path("models/run_id.txt")
LEARNING_CURVE = Path("reports/learning_curve.csv")


def learning_curve(pipeline: Pipeline, features: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Validation loss and AUROC after each boosting round; one row for models without rounds."""
    model, encoded = pipeline["model"], pipeline["encode"].transform(features)
    staged = getattr(model, "staged_predict_proba", None)
    stages = staged(encoded) if staged else [model.predict_proba(encoded)]
    rows = [
        (step, log_loss(labels, scores[:, 1]), roc_auc_score(labels, scores[:, 1]))
        for step, scores in enumerate(stages, 1)
    ]
    return pd.DataFrame(rows, columns=["step", "val_log_loss", "val_auroc"])


def typical_row(features: pd.DataFrame) -> pd.DataFrame:
    """An input example made of medians and most frequent levels: no patient's row leaves the data."""
    row = {
        name: column.median() if pd.api.types.is_numeric_dtype(column) else column.mode()[0]
        for name, column in features.items()
    }
    return pd.DataFrame([row])


def log_curve(run_id: str, curve: pd.DataFrame) -> None:
    """The learning curve as metric histories, in one request."""
    now = int(time.time() * 1000)
    points = [
        mlflow.entities.Metric(name, float(row[name]), now, int(row["step"]))
        for _, row in curve.iterrows()
        for name in ("val_log_loss", "val_auroc")
    ]
    mlflow.MlflowClient().log_batch(run_id, metrics=points)


def main() -> None:
    """Run the stage."""
    params = yaml.safe_load(Path("params.yaml").read_text())["train"]
    model_type, seed = params["model_type"], params["seed"]
    settings = params[model_type]
    table = pd.read_parquet(TRAIN)
    data_hash = hashlib.md5(TRAIN.read_bytes()).hexdigest()
    fit, check = train_test_split(
        table, test_size=params["validation_share"], random_state=seed, stratify=table["label"]
    )

    tracking.connect()
    tags = tracking.dvc_tags(data_hash)
    with mlflow.start_run(run_name=f"{model_type}-pipeline", tags=tags) as run:
        data_set = mlflow.data.from_pandas(
            table, source=str(TRAIN), targets="label", name="patients-train", digest=data_hash
        )
        mlflow.log_input(data_set, context="training")
        mlflow.log_params({"model_type": model_type, "seed": seed, "rows": len(fit), **settings})
        started = time.perf_counter()
        features = fit.drop(columns="label")
        pipeline = models.build(model_type, settings, seed, features).fit(features, fit["label"])
        mlflow.log_metric("train_seconds", time.perf_counter() - started)
        curve = learning_curve(pipeline, check.drop(columns="label"), check["label"])
        if len(curve) > 1:
            log_curve(run.info.run_id, curve)
        example = typical_row(features)
        mlflow.sklearn.log_model(
            pipeline,
            name="model",
            signature=mlflow.models.infer_signature(example, pipeline.predict(example)),
            input_example=example,
            pip_requirements=[f"scikit-learn=={version('scikit-learn')}"],
            skops_trusted_types=models.TRUSTED_TYPES,
        )

    for folder in (MODEL.parent, LEARNING_CURVE.parent):
        folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, MODEL)
    RUN_ID.write_text(run.info.run_id + "\n")
    curve.round(6).to_csv(LEARNING_CURVE, index=False)


if __name__ == "__main__":
    main()
