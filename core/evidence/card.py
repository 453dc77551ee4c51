"""A model card: what people should know of a version before they rely on it.

The fields follow Mitchell et al., "Model Cards for Model Reporting" (2019), and the Applied Model Card of the
Coalition for Health AI. What the stores know fills itself; the rest is told by MLflow tags named ``card.KEY``, of
the version or else of the model. What nobody told is printed as not provided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.compare.directions import direction
from core.compare.types import Direction
from core.evidence.card_fields import SECTIONS, Subject
from core.evidence.types import STATUSES, Card, Measure, Section
from core.privacy import shown_metrics
from core.registry.catalogue import entry

if TYPE_CHECKING:
    from core.workspace import Workspace


def model_card(ws: Workspace, model: str, version: int) -> Card:
    """The card of a registered version; raises NotFound and Unavailable when MLflow has none or is down."""
    subject = Subject(ws, ws.registry.model(model), entry(ws, model, version))
    run = subject.entry.run
    declared = ws.settings.metric_directions
    measures = tuple(
        Measure(name=name, value=value, better=_better(name, declared))
        for name, value in sorted(shown_metrics(run.metrics if run else {}).items())
    )
    sections = tuple(
        Section(title, tuple(subject.field(key, label, known) for key, label, known in fields))
        for title, fields in SECTIONS
    )
    status = subject.tag("card.status").lower()
    return Card(
        model=model,
        version=version,
        status=status if status in STATUSES else STATUSES[0],
        sections=sections,
        measures=measures,
    )


def _better(name: str, declared: Mapping[str, str]) -> str:
    towards = direction(name, declared)
    return "" if towards is Direction.UNKNOWN else towards.value
