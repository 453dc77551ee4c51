"""A document of tables: written once, read as Markdown or as one HTML page that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LONGEST_WORD = 24


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, perhaps a sentence, and rows of text under columns.

    ``svg`` is a picture of the rows, for the page alone; it is put there as it is.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""
    svg: str = ""


def as_markdown(title: str, lead: str, tables: Sequence[Table]) -> str:
    """The document as Markdown."""
    lines = [f"# {_plain(title)}", "", _plain(lead), ""]
    for table in tables:
        lines += [f"## {_plain(table.title)}", ""]
        if table.note:
            lines += [_plain(table.note), ""]
        if table.rows:
            lines += ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
            lines += ["| " + " | ".join(map(_plain, row)) + " |" for row in table.rows] + [""]
    return "\n".join(lines)


def as_html(title: str, lead: str, tables: Sequence[Table]) -> str:
    """The document as a page of its own: no script, nothing loaded, readable in print and in dark mode."""
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(lead)}</p>", _contents(tables)]
    for number, table in enumerate(tables):
        parts.append(f'<section id="s{number}"><h2>{escape(table.title)}</h2>')
        if table.note:
            parts.append(f"<p>{escape(table.note)}</p>")
        if table.svg:
            parts.append(f"<figure>{table.svg}</figure>")
        if table.rows:
            head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
            body = "".join("<tr>" + "".join(map(_cell, table.columns, row)) + "</tr>" for row in table.rows)
            parts.append(
                f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
            )
        parts.append("</section>")
    return _PAGE.format(title=escape(title), body="\n".join(parts))


def _contents(tables: Sequence[Table]) -> str:
    links = "".join(f'<a href="#s{number}">{escape(table.title)}</a>' for number, table in enumerate(tables))
    return f'<nav aria-label="Contents">{links}</nav>'


def _cell(column: str, text: str) -> str:
    # Hashes and addresses may break anywhere; words may not. A phone shows the column's name beside each cell.
    long = ' class="long"' if any(len(word) > _LONGEST_WORD for word in text.split()) else ""
    return f'<td{long} data-column="{escape(column)}">{escape(text)}</td>'


def _plain(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>
:root {{ color-scheme: light dark; --line: light-dark(#d4d8e2, #353c4d); --soft: light-dark(#f4f5f9, #1a1e28); }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1b1f2a, #e8eaf1); background: light-dark(#fff, #11141b); }}
h1 {{ font-size: 1.7rem; margin: 0 0 .5rem; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
nav {{ display: flex; flex-wrap: wrap; gap: .3rem 1rem; border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem .9rem; }}
a {{ color: light-dark(#4654d8, #98a2ff); }}
figure {{ margin: .5rem 0 1rem; }} figure svg {{ width: 100%; height: auto; max-width: 46rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }}
p, h1, h2, .long {{ overflow-wrap: anywhere; }} .long {{ min-width: 12rem; }}
th {{ background: var(--soft); font-weight: 600; }}
@media screen and (max-width: 40rem) {{
  thead {{ display: none; }} tbody, tr, td {{ display: block; }}
  tr {{ border-bottom: 1px solid var(--line); padding: .4rem 0; }}
  td {{ border: 0; padding: .1rem 0; display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 5fr); gap: .6rem; }}
  td::before {{ content: attr(data-column); opacity: .75; }} .long {{ min-width: 0; }} }}
@media print {{ .wide {{ overflow: visible; }}
  nav {{ display: none; }} h2 {{ break-after: avoid; }} tr {{ break-inside: avoid; }} }}
</style></head><body>
{body}
</body></html>
"""
