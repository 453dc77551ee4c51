"""The questions of a model card, and where the desk finds an answer when nobody wrote one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from core.evidence.types import Field
from core.registry.catalogue import Entry

if TYPE_CHECKING:
    from core.registry.policy import Tier
    from core.registry.types import Model, Signature
    from core.workspace import Workspace


@dataclass
class Subject:
    """The version that a card is about, and what the stores know of it."""

    ws: Workspace
    model: Model
    entry: Entry

    def field(self, key: str, label: str, known: Callable[[Subject], str] | None) -> Field:
        name = f"card.{key}"
        for tags, source in (
            (self.entry.version.tags, f"version tag {name}"),
            (self.model.tags, f"model tag {name}"),
        ):
            if text := tags.get(name, "").strip():
                return Field(key=key, label=label, value=text, source=source)
        value = known(self).strip() if known else ""
        return Field(key=key, label=label, value=value, source="the desk's stores" if value else "")

    def tag(self, name: str) -> str:
        """A tag of the version, else of the model; '' without one."""
        return (self.entry.version.tags.get(name) or self.model.tags.get(name) or "").strip()

    @property
    def params(self) -> Mapping[str, str]:
        return self.entry.run.params if self.entry.run else {}

    @property
    def signature(self) -> Signature | None:
        try:
            return self.ws.registry.signature(self.model.name, self.entry.version.version)
        except ModelDeskError:
            return None

    @property
    def tier(self) -> Tier | None:
        from core.registry.policy import policy_of

        try:
            policy = policy_of(self.ws)
            return policy.tier(self.model.name, "production") if policy else None
        except ModelDeskError:
            return None


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""


def _kind(subject: Subject) -> str:
    signature = subject.signature
    flavors = [name for name in signature.flavors if name != "python_function"] if signature else []
    return ", ".join(part for part in (subject.params.get("model_type", ""), *flavors) if part)


def _settings(subject: Subject) -> str:
    return ", ".join(f"{key} = {value}" for key, value in sorted(subject.params.items()))


def _inputs(subject: Subject) -> str:
    signature = subject.signature
    return ", ".join(f"{item.name} ({item.type})" for item in signature.inputs) if signature else ""


def _outputs(subject: Subject) -> str:
    signature = subject.signature
    return ", ".join(item.type for item in signature.outputs) if signature else ""


def _data(subject: Subject, *, training: bool) -> str:
    run = subject.entry.run
    found = [
        f"{item.name} ({item.digest[:12]})"
        for item in (run.datasets if run else ())
        if (item.context in ("", "train", "training")) is training
    ]
    if training and run and run.data_hash and not found:
        found = [f"content {run.data_hash[:12]}"]
    return ", ".join(found)


def _code(subject: Subject) -> str:
    run = subject.entry.run
    return f"commit {run.git_commit}" if run and run.git_commit else ""


def _risk(subject: Subject) -> str:
    tier = subject.tier
    return subject.tag("risk_tier") or (tier.name if tier else "")


def _gates(subject: Subject) -> str:
    tier = subject.tier
    return "; ".join(gate.name for gate in tier.gates) if tier else ""


def _watched(subject: Subject) -> str:
    watched = [item.environment for item in subject.ws.settings.monitors if item.model == subject.model.name]
    return f"drift and performance are monitored in {', '.join(watched)}" if watched else ""


def _metrics(subject: Subject) -> str:
    return ", ".join(sorted(subject.entry.metrics))


def _released(subject: Subject) -> str:
    return ", ".join(subject.entry.version.aliases)


def _hash(subject: Subject) -> str:
    run = subject.entry.run
    return run.data_hash or "" if run else ""


_Known = Callable[[Subject], str]
SECTIONS: tuple[tuple[str, tuple[tuple[str, str, _Known | None], ...]], ...] = (
    (
        "Model details",
        (
            ("summary", "Summary", lambda s: s.entry.version.description or s.model.description),
            ("owner", "Owner", lambda s: s.tag("owner")),
            ("deputy", "Deputy", lambda s: s.tag("deputy")),
            ("contact", "Contact", None),
            ("registered", "Registered", lambda s: _day(s.entry.version.created_at)),
            ("trained_by", "Trained by", lambda s: s.entry.run.user if s.entry.run else ""),
            ("release_stage", "Release stage (aliases)", _released),
            ("model_type", "Kind of model", _kind),
            ("settings", "Training settings", _settings),
            ("inputs", "Inputs", _inputs),
            ("outputs", "Outputs", _outputs),
            ("code", "Code", _code),
            ("licence", "Licence", None),
            ("references", "Papers and further reading", None),
        ),
    ),
    (
        "Intended use",
        (
            ("intended_use", "Intended use", lambda s: s.model.description),
            ("intended_users", "Intended users", None),
            ("population", "Population it is meant for", None),
            ("instructions", "How to use it", None),
            ("out_of_scope", "Out of scope", None),
        ),
    ),
    (
        "Warnings",
        (
            ("risk_tier", "Clinical risk", _risk),
            ("limitations", "Known risks and limits", None),
            ("ethics", "Known biases and ethical considerations", None),
            ("regulatory", "Regulatory status", None),
        ),
    ),
    (
        "Data and training",
        (
            ("training_data", "Training data", lambda s: _data(s, training=True)),
            ("training_content", "Content of the training data", _hash),
            ("evaluation_data", "Evaluation data", lambda s: _data(s, training=False)),
            ("preprocessing", "Preprocessing", None),
            ("bias_mitigation", "Bias mitigation", None),
        ),
    ),
    (
        "Evaluation",
        (
            ("measures", "Performance measures", _metrics),
            ("decision_threshold", "Decision threshold", lambda s: s.params.get("threshold", "")),
            ("uncertainty", "How uncertainty was estimated", None),
            ("factors", "Groups that were looked at apart", None),
            ("fairness", "Fairness findings", None),
            ("usefulness", "Usefulness in practice", None),
            ("safety", "Gates of the release policy", _gates),
        ),
    ),
    (
        "Care",
        (
            ("maintenance", "Monitoring and maintenance", _watched),
            ("review_trigger", "Next review when", lambda s: s.tag("review_trigger")),
            ("stakeholders", "Who was consulted", None),
            ("funding", "Funding", None),
        ),
    ),
)
