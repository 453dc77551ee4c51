"""A report: tables for people, facts for programs, and a marker by which a posted one is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.document import Table, as_html, as_markdown


class Format(StrEnum):
    """How a report is written."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. ``marker`` names what it is about, so that a comment with it is replaced, not repeated."""

    title: str
    lead: str
    tables: tuple[Table, ...]
    facts: Mapping[str, Any]
    marker: str

    def markdown(self) -> str:
        """Markdown that begins with the hidden marker."""
        return f"{comment_marker(self.marker)}\n{as_markdown(self.title, self.lead, self.tables)}"

    def html(self) -> str:
        """One HTML page that needs nothing from outside."""
        return as_html(self.title, self.lead, self.tables)


def comment_marker(name: str) -> str:
    """The HTML comment that tells one of our comments from another's."""
    return f"<!-- model-desk:{name} -->"
