"""The model inventory: who answers for each model, what it is for, how risky it is, and when it is looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from core.registry.policy import policy_of

if TYPE_CHECKING:
    from core.registry.policy import Policy
    from core.registry.types import Model
    from core.workspace import Workspace

TAGS = {
    "owner": "owner",
    "deputy": "deputy",
    "intended use": "card.intended_use",
    "risk tier": "risk_tier",
    "review trigger": "review_trigger",
}
"""Each question of the inventory and the tag of the registered model that answers it."""


def inventory(ws: Workspace) -> dict[str, Mapping[str, str]]:
    """The answers per model, '' where nobody gave one. Raises Unavailable when MLflow is down."""
    policy = readable_policy(ws)
    return {model.name: answers(model, policy) for model in ws.registry.models()}


def answers(model: Model, policy: Policy | None) -> dict[str, str]:
    """The answers of one model; without a tag the risk tier is the one that the policy puts the model into."""
    found = {question: model.tags.get(tag, "").strip() for question, tag in TAGS.items()}
    tiers = (tier.name for tier in policy.tiers if tier.covers(model.name)) if policy else iter(())
    return found | {"risk tier": found["risk tier"] or next(tiers, "")}


def readable_policy(ws: Workspace) -> Policy | None:
    """The policy; None also when its file is faulty, which the pages about releases say."""
    try:
        return policy_of(ws)
    except ModelDeskError:
        return None
