"""Stage evaluate_model: score the test patients, log the result to the training run and register the model."""

import json
import tempfile
from pathlib import Path

import joblib
import mlflow
import numpy as np
import pandas as pd
import tracking
import yaml
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    recall_score,
    roc_auc_score,
    roc_curve,
)

TEST = Path("data/features/test.parquet")
MODEL = Path("models/model.joblib")
RUN_ID = Path("models/run_id.txt")
REPORTS = Path("reports")
ROC_POINTS = 60
AGE_BANDS = (0, 50, 65, 80, 200)
AGE_NAMES = ("under 50", "50 to 64", "65 to 79", "80 and over")


def measure(labels: pd.Series, scores: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """The test metrics, rounded so that they read well in git."""
    values = {
        "auroc": roc_auc_score(labels, scores),
        "accuracy": accuracy_score(labels, predictions),
        "f1": f1_score(labels, predictions),
        "sensitivity": recall_score(labels, predictions),
        "specificity": recall_score(labels, predictions, pos_label=0),
        "log_loss": log_loss(labels, scores),
        "brier": brier_score_loss(labels, scores),
    }
    return {name: round(float(value), 6) for name, value in values.items()}


def roc_points(labels: pd.Series, scores: np.ndarray) -> list[dict[str, float]]:
    """The ROC curve thinned to a readable number of points, both ends kept."""
    false_rate, true_rate, _ = roc_curve(labels, scores)
    keep = np.unique(np.linspace(0, len(false_rate) - 1, ROC_POINTS).astype(int))
    return [{"fpr": round(float(false_rate[i]), 6), "tpr": round(float(true_rate[i]), 6)} for i in keep]


def confusion(labels: pd.Series, predictions: np.ndarray) -> dict[str, int]:
    """The four counts of the confusion matrix."""
    counts = confusion_matrix(labels, predictions, labels=[0, 1]).ravel().tolist()
    return dict(zip(("tn", "fp", "fn", "tp"), counts, strict=True))


def log_results(run_id: str, metrics: dict, counts: dict, roc: list, rows: pd.DataFrame) -> None:
    """Metrics, confusion matrix, ROC curve and per-row scores, added to the training run."""
    with mlflow.start_run(run_id=run_id), tempfile.TemporaryDirectory() as folder:
        mlflow.log_metrics(metrics)
        mlflow.log_dict(counts, "evaluation/confusion_matrix.json")
        mlflow.log_dict({"points": roc}, "evaluation/roc.json")
        rows.to_parquet(Path(folder) / "scores.parquet", index=False)
        mlflow.log_artifact(str(Path(folder) / "scores.parquet"), "evaluation")


def register(run_id: str, name: str) -> None:
    """A new version of the registered model from the run's logged model."""
    client = mlflow.MlflowClient()
    model_id = client.get_run(run_id).outputs.model_outputs[0].model_id
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    client.create_model_version(name, f"models:/{model_id}", run_id=run_id, model_id=model_id)


def main() -> None:
    """Run the stage."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    test = pd.read_parquet(TEST)
    scores = joblib.load(MODEL).predict_proba(test.drop(columns=["label", "patient_id"]))[:, 1]
    predictions = (scores >= params["evaluate"]["threshold"]).astype(int)
    labels = test["label"]
    metrics = measure(labels, scores, predictions)
    counts, roc = confusion(labels, predictions), roc_points(labels, scores)

    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    pd.DataFrame(roc).to_csv(REPORTS / "roc.csv", index=False)
    pairs = pd.DataFrame({"actual": labels, "predicted": predictions})
    pairs.to_csv(REPORTS / "confusion_matrix.csv", index=False)

    run_id = RUN_ID.read_text().strip()
    rows = pd.DataFrame(
        {"row_id": test["patient_id"], "label": labels, "prediction": predictions, "score": scores}
    )
    # Groups that a release must serve equally well; a policy may set bounds in each of them.
    rows["sex"], rows["site"] = test["sex"], test["site"]
    rows["age_band"] = pd.cut(test["age"], AGE_BANDS, right=False, labels=AGE_NAMES).astype(str)
    tracking.connect()
    log_results(run_id, metrics, counts, roc, rows)
    if metrics["auroc"] >= params["register"]["minimum_auroc"]:
        register(run_id, params["register"]["model"])


if __name__ == "__main__":
    main()
