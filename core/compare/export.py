"""A table as CSV, Markdown or LaTeX text: what people paste into papers, tickets and spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$", "∞": r"$\infty$",
    "▲": r"$\uparrow$", "▼": r"$\downarrow$", "⊘": r"$\oslash$", "●": r"$\bullet$", "–": "--",
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def to_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """RFC 4180 text. A cell that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_inert(cell) for cell in columns])
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue()


def to_markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A GitHub table; cells cannot break out of it, and markup in them is shown as text."""
    lines = [[_markdown(cell) for cell in row] for row in [columns, *rows]]
    lines.insert(1, ["---"] * len(columns))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_latex(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A booktabs table (needs ``\\usepackage{booktabs}``); marks are commands, pdfLaTeX knows no such characters."""
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in [columns, *rows]]
    body = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\begin{{tabular}}{{{'l' * len(columns)}}}\n{body}\n\\end{{tabular}}\n"


def text(value: object) -> str:
    """A value as every export writes it: numbers with up to 6 digits, nothing for what is missing."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _inert(value: object) -> str:
    written = text(value)
    risky = written[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(written)
    return f"'{written}" if risky else written


def _markdown(value: object) -> str:
    written = re.sub(r"\s+", " ", text(value))
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", written)


def _latex(value: object) -> str:
    written = re.sub(r"\s+", " ", text(value))
    return "".join(_LATEX.get(character, character) for character in written)
