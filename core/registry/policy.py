"""The release policy: who must approve what, and which gates a version must pass, by risk tier.

The file is YAML. A published text is a numbered version in the ledger and never changes; another text is another
version. A file that was edited and not published releases nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core import yaml_file
from core.access import Action, Actor, decide, require
from core.errors import BadSettings, Refused
from core.ledger.events import PolicyPublished

if TYPE_CHECKING:
    from core.ledger.state import State
    from core.workspace import Workspace

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Bounded(_Part):
    metric: str = Field(min_length=1)
    min: Finite | None = None
    max: Finite | None = None
    against: Literal["champion"] | None = None
    margin: Finite = 0.0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.against is None) is (self.min is None and self.max is None):
            raise ValueError("a gate has either min and/or max, or against: champion")
        if self.against is None and "margin" in self.model_fields_set:
            raise ValueError("margin belongs to a gate with against: champion")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    @property
    def bounds(self) -> str:
        """`` >= 0.8``, `` against champion``."""
        if self.against:
            return f" against {self.against}"
        low = "" if self.min is None else f" >= {self.min:g}"
        high = "" if self.max is None else f" <= {self.max:g}"
        return f"{low}{' and' if low and high else ''}{high}"


class Gate(_Bounded):
    """A bound on a metric: absolute (``min``, ``max``) or against the champion.

    ``margin`` is how much worse than the champion a candidate may be; a negative one asks for a gain.
    """

    @property
    def name(self) -> str:
        """``auroc >= 0.8``, ``log_loss against champion``."""
        return f"{self.metric}{self.bounds}"


class SubgroupGate(_Bounded):
    """A bound, as of :class:`Gate`, that holds in every group of ``by``, a column of the run's test rows.

    A group of fewer than ``rows`` test rows leaves the gate inconclusive.
    """

    by: str = Field(min_length=1)
    rows: int = Field(50, ge=11)

    @property
    def name(self) -> str:
        """``sensitivity by site >= 0.6``, ``auroc by site against champion``."""
        return f"{self.metric} by {self.by}{self.bounds}"


class Tier(_Part):
    """What models of one risk need before they go live in ``environments``."""

    name: str = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    environments: tuple[str, ...] = ("production",)
    needs: int = Field(1, ge=1)
    groups: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    expires_days: float = Field(14, gt=0, le=3650)
    gates: tuple[Gate, ...] = ()
    subgroups: tuple[SubgroupGate, ...] = ()
    lineage: bool = False
    reviewed_rollbacks: bool = False
    min_rows: int | None = Field(None, ge=1)
    size_mb: float | None = Field(None, gt=0)
    checks: tuple[Literal["data-validation", "data-quality"], ...] = ()
    drift: tuple[Literal["training-data", "live-traffic", "monitor"], ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Tier:
        names = [gate.name for gate in (*self.gates, *self.subgroups)]
        if len(set(names)) < len(names):
            raise ValueError("two gates say the same")
        return self

    @property
    def approvals(self) -> int:
        """How many people must sign: ``needs``, or more where the groups together ask for more."""
        return max(self.needs, sum(self.groups.values()))

    @property
    def expiry(self) -> timedelta:
        """How long a request of this tier stays valid."""
        return timedelta(days=self.expires_days)

    def covers(self, model: str) -> bool:
        """Whether one of the patterns is about ``model``."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def rules(self, environment: str) -> bool:
        """Whether the tier has a say in ``environment``."""
        return any(fnmatchcase(environment, pattern) for pattern in self.environments)


class _File(_Part):
    name: str = "release"
    tiers: tuple[Tier, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy text that was read and checked.

    Of the tiers that cover a model, the first one with a say in the environment counts.
    """

    name: str
    tiers: tuple[Tier, ...]
    text: str
    sha256: str
    source: str

    def tier(self, model: str, environment: str) -> Tier | None:
        """The model's tier when it has a say in ``environment``, else None: no approval is needed there.

        Raises Refused for a model that no tier covers.
        """
        covering = [tier for tier in self.tiers if tier.covers(model)]
        if not covering:
            raise Refused(
                f"No tier of the policy {self.source} covers the model '{model}'.",
                "Add it to a tier's models ('*' covers all), and publish the policy.",
            )
        return next((tier for tier in covering if tier.rules(environment)), None)


def read_policy(file: Path) -> Policy:
    """The policy in ``file``; raises BadSettings naming line and key."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadSettings(
            f"The policy {file} cannot be read: {error.strerror}.",
            "Correct --policy, or `policy` in modeldesk.toml.",
        ) from error
    return parse_policy(data, str(file))


def parse_policy(data: bytes, source: str) -> Policy:
    """The policy that ``data`` holds; raises BadSettings naming line and key."""
    given = yaml_file.parse(data, source, _File, "policy")
    digest = hashlib.sha256(data).hexdigest()
    return Policy(name=given.name, tiers=given.tiers, text=data.decode("utf-8"), sha256=digest, source=source)


def policy_of(ws: Workspace) -> Policy | None:
    """The policy of the workspace; None when none is configured. Raises BadSettings."""
    return None if ws.settings.policy is None else read_policy(ws.settings.path(ws.settings.policy))


def published_version(state: State, policy: Policy) -> int | None:
    """The number under which this very text was published; None when it was not."""
    return next((event.version for _, event in state.policies if event.sha256 == policy.sha256), None)


def publish(ws: Workspace, policy: Policy, actor: Actor, reason: str = "") -> int:
    """Publish the text and return its number; a text that is published keeps its number.

    Raises Refused without the right.
    """
    require(ws.settings, actor, Action.PUBLISH_POLICY)
    with ws.ledger.exclusive("policy"):
        state = ws.ledger.state()
        known = published_version(state, policy)
        if known is not None:
            return known
        number = 1 + max((event.version for _, event in state.policies), default=0)
        event = PolicyPublished(
            policy=policy.name, version=number, sha256=policy.sha256, text=policy.text, reason=reason
        )
        ws.ledger.append(event, actor, key=f"policy:{policy.sha256}")
        return number


def version_for_request(ws: Workspace, policy: Policy, actor: Actor) -> int:
    """The policy's number; an unpublished text is published when ``actor`` may, else Refused is raised."""
    known = published_version(ws.ledger.state(), policy)
    if known is not None:
        return known
    if not decide(ws.settings, actor, Action.PUBLISH_POLICY).allowed:
        raise Refused(
            f"The policy {policy.source} was changed and not published.",
            "An admin publishes it with `policy publish`.",
        )
    return publish(ws, policy, actor, "first used by a request")
