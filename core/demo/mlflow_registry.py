"""The last touches of the demo's registry: descriptions, an owner and the age of things."""

from __future__ import annotations

from pathlib import Path

from core.demo import mlflow_store, story
from core.demo.story import REVISIONS, Scale

DESCRIPTIONS = {
    story.MODEL: "Probability of the target diagnosis at admission, for adults in the emergency ward.",
    "biopsy-triage": "Probability that a breast mass is malignant, to order the reading list.",
    "readmission-30d": "Probability of an unplanned readmission within 30 days of discharge.",
}


def finish(root: Path, scale: Scale) -> None:
    """Describe models and versions; the aliases are set by the decisions."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_store.tracking_uri(root))
    for model, description in DESCRIPTIONS.items():
        client.update_registered_model(model, description)
        client.set_registered_model_tag(model, "owner", "clinical-ai")
    for number, revision in enumerate(REVISIONS[: scale.revisions], 1):
        client.update_model_version(story.MODEL, str(number), f"{revision.message}.")
    mlflow_store.age_containers(root)
