"""The last touches of the demo's registry: descriptions, what model cards are filled from, and the age of things."""

from __future__ import annotations

from pathlib import Path

from core.demo import mlflow_store, story
from core.demo.story import REVISIONS, Scale

DESCRIPTIONS = {
    story.MODEL: "Probability of the target diagnosis at admission, for adults in the emergency ward.",
    "biopsy-triage": "Probability that a breast mass is malignant, to order the reading list.",
    "readmission-30d": "Probability of an unplanned readmission within 30 days of discharge.",
}
# The readmission model lacks most of it on purpose: the desk shows what is missing.
CARDS = {
    story.MODEL: {
        "owner": "clinical-ai",
        "deputy": "Dara Okafor",
        "risk_tier": "high",
        "review_trigger": "new laboratory device, or AUROC below 0.85 over a month",
        "card.intended_use": "Ranks adults at admission by the probability of the target diagnosis, so that the "
        "likeliest are seen by a specialist first.",
        "card.intended_users": "Emergency physicians; the score supports their judgement and replaces none.",
        "card.population": "Adults admitted through the emergency wards of the three sites.",
        "card.out_of_scope": "Children, pregnancy, patients transferred with a known diagnosis, other hospitals.",
        "card.limitations": "Glucose is imputed where the laboratory is slow; the south site is young in the data.",
        "card.ethics": "Sensitivity is followed by sex and age band; the score never decides about treatment.",
        "card.training_data": "Admissions of the three sites, pseudonymised, versioned with DVC.",
        "card.evaluation_data": "The latest fifth of the admissions, held out by time.",
        "card.status": "reviewed",
    },
    "biopsy-triage": {
        "owner": "clinical-ai",
        "deputy": "Ana Lima",
        "risk_tier": "high",
        "card.intended_use": "Orders the reading list of breast biopsies by the probability of malignancy.",
        "card.intended_users": "Pathologists who read the list.",
    },
    "readmission-30d": {"owner": "clinical-ai"},
}


def finish(root: Path, scale: Scale) -> None:
    """Describe models and versions; the aliases are set by the decisions."""
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_store.tracking_uri(root))
    for model, description in DESCRIPTIONS.items():
        client.update_registered_model(model, description)
        for key, value in CARDS[model].items():
            client.set_registered_model_tag(model, key, value)
    for number, revision in enumerate(REVISIONS[: scale.revisions], 1):
        client.update_model_version(story.MODEL, str(number), f"{revision.message}.")
    mlflow_store.age_containers(root)
