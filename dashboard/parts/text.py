"""Words that people wrote, shown as they wrote them: Markdown in a reason or a name is not obeyed."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$^=&])")
_LONGEST = 300


def literal(text: str, longest: int = _LONGEST) -> str:
    """``text`` on one line with Markdown's characters escaped, cut with an ellipsis when it is longer."""
    return plain(shortened(text, longest))


def shortened(text: str, longest: int) -> str:
    """``text`` on one line, cut with an ellipsis when it is longer: for where Markdown is not read."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def plain(text: str) -> str:
    """``text`` at its full length with Markdown's characters escaped."""
    # A colon before a word starts Streamlit's directives and emoji, and before a slash a link, whose escapes would
    # show; a word joiner between keeps it a colon.
    return _SPECIAL.sub(r"\\\1", re.sub(r":(?=[\w/])", ":\u2060", text))
