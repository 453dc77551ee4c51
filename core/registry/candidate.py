"""A candidate judged by the policy before anybody asked for its release: what a pipeline's gate step says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput, BadSettings
from core.registry.gates import GateResult, Verdict, champion_item, evaluate, overall, size_of
from core.registry.policy import Policy, Tier, policy_of, read_policy

if TYPE_CHECKING:
    from core.compare.types import Item
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate, what it was measured against (or why there is nothing), and the gates of its tier."""

    candidate: Item
    champion: Item | str
    model: str | None
    tier: Tier
    results: tuple[GateResult, ...]

    @property
    def verdict(self) -> Verdict:
        """All gates together."""
        return overall(self.results)


def candidate_item(ws: Workspace, run: str | None, version: str | None) -> Item:
    """The one thing that was named; raises BadInput when both or neither were, NotFound."""
    from core.compare.references import parse, resolve

    if (run is None) is (version is None):
        raise BadInput("Name one candidate.", "Give either --run ID or --version MODEL/V.")
    return resolve(ws, [parse(f"run:{run}" if run else f"version:{version}")])[0]


def judge_candidate(
    ws: Workspace,
    candidate: Item,
    against: str = "champion",
    model: str | None = None,
    policy: Path | None = None,
) -> Judged:
    """The gates on ``candidate``; nothing is recorded. Raises BadInput, BadSettings, NotFound, Unavailable."""
    champion, name = champion_of(ws, candidate, against, model)
    tier = _tier(_policy(ws, policy), name)
    size = size_of(ws, candidate.model, candidate.version) if candidate.model and candidate.version else None
    results = evaluate(ws, tier, candidate, champion, size)
    return Judged(candidate=candidate, champion=champion, model=name, tier=tier, results=results)


def champion_of(
    ws: Workspace, candidate: Item, against: str, model: str | None
) -> tuple[Item | str, str | None]:
    """What to measure against (or why there is nothing), and the model that it is about."""
    from core.compare.baseline import production_baseline
    from core.compare.references import parse, resolve

    name = candidate.model or model
    if against != "champion":
        other = resolve(ws, [parse(against)])[0]
        return other, name or other.model
    if name:
        alias = ws.settings.environments.get("production", "champion")
        return champion_item(ws, name, ws.registry.model(name).aliases.get(alias)), name
    found = production_baseline(ws, (candidate,))
    if isinstance(found, str):
        return f"no champion: {found} (name the model with --model)", None
    return found[0], found[0].model


def _policy(ws: Workspace, file: Path | None) -> Policy:
    found = read_policy(file) if file else policy_of(ws)
    if found is None:
        raise BadSettings(
            "No policy is configured.", "Give --policy FILE, or set `policy` in modeldesk.toml."
        )
    return found


def _tier(policy: Policy, model: str | None) -> Tier:
    if model is None:
        if len(policy.tiers) == 1:
            return policy.tiers[0]
        raise BadInput("Which model the run is for is not known.", "Name it with --model.")
    found = next((tier for tier in policy.tiers if tier.covers(model)), None)
    if found is None:
        raise BadInput(
            f"No tier of {policy.source} covers the model '{model}'.", "Add it to a tier's models."
        )
    return found
