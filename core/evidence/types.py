"""What a model card holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOT_PROVIDED = "not provided"
STATUSES = ("draft", "reviewed", "approved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One answer of the card. ``source`` says where it is from; '' when it is not provided."""

    key: str
    label: str
    value: str = ""
    source: str = ""

    @property
    def shown(self) -> str:
        """The value, never blank."""
        return self.value or NOT_PROVIDED


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric of the version: its value, or ``<11`` or ``hidden``, and which way is better ('' unknown)."""

    name: str
    value: float | str
    better: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The card of one version; its ``status`` is the card's own, apart from any approval of the model."""

    model: str
    version: int
    status: str
    sections: tuple[Section, ...]
    measures: tuple[Measure, ...]

    @property
    def missing(self) -> tuple[Field, ...]:
        """The fields that nobody told."""
        return tuple(field for section in self.sections for field in section.fields if not field.value)

    def as_dict(self) -> dict[str, Any]:
        """The card as JSON values (the published schema of ``card``)."""
        return {
            "model": self.model,
            "version": self.version,
            "status": self.status,
            "sections": [
                {
                    "title": section.title,
                    "fields": [
                        {
                            "key": field.key,
                            "label": field.label,
                            "value": field.shown,
                            "provided": bool(field.value),
                            "source": field.source,
                        }
                        for field in section.fields
                    ],
                }
                for section in self.sections
            ],
            "metrics": [
                {"name": item.name, "value": item.value, "better": item.better} for item in self.measures
            ],
            "missing": [field.key for field in self.missing],
        }
