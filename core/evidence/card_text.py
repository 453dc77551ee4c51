"""A model card for people: Markdown, or a page of its own."""

from __future__ import annotations

from core.document import Table, as_html, as_markdown
from core.evidence.types import Card


def card_markdown(card: Card) -> str:
    """The card as Markdown."""
    return as_markdown(*_parts(card))


def card_html(card: Card) -> str:
    """The card as one HTML page that needs nothing from outside."""
    return as_html(*_parts(card))


def card_tables(card: Card) -> tuple[Table, ...]:
    """One table a section, and the metrics."""
    sections = tuple(
        Table(
            section.title, ("Field", "Answer"), tuple((field.label, field.shown) for field in section.fields)
        )
        for section in card.sections
    )
    rows = tuple((item.name, number(item.value), item.better or "not declared") for item in card.measures)
    note = "" if rows else "The run logged no metrics, or cannot be read."
    return (*sections, Table("Metrics", ("Metric", "Value", "Better is"), rows, note))


def number(value: float | str | None) -> str:
    """A metric's value as text; what is hidden is a word already."""
    return "–" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def _parts(card: Card) -> tuple[str, str, tuple[Table, ...]]:
    missing = len(card.missing)
    told = f"{missing} answers are not provided." if missing else "Every answer is provided."
    return (
        f"Model card: {card.model} v{card.version}",
        f"Card status: {card.status}. {told}",
        card_tables(card),
    )
