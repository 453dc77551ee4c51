"""Cuts a filter's text into tokens that remember where they stood."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.experiments.filter_types import FilterError

MAX_LENGTH = 200_000
"""Enough for ``run_id IN (...)`` with 5,000 ids, as scripts write it."""

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
  | (?P<word>(?:[^\W\d]|`\w+`\.)[\w.\-/:]*)
  | (?P<quoted>`[^`]*`)
  | (?P<quantity>[0-9]+(?:\.[0-9]+)?(?:ms|s|min|m|h|d|w)\b)
  | (?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.]))
  | (?P<operator><=|>=|!=|<>|==|=|<|>)
  | (?P<mark>[(),])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: its kind (a group of the pattern, or ``end``), the piece, and its place."""

    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        """The keyword it may be, in capitals; empty for anything quoted."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def inner(self) -> str:
        """The piece without its quotes; one that is doubled within them is a quote."""
        quote = self.text[:1]
        return self.text[1:-1].replace(quote * 2, quote) if self.kind in ("text", "quoted") else self.text


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of ``text`` with an ``end`` behind them; raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(text, MAX_LENGTH, f"the text is longer than {MAX_LENGTH:,} characters.")
    if broken := re.search("[\ud800-\udfff]", text):
        raise FilterError(text, broken.start(), "this is half a character.", "Type the filter anew.")
    found, position = [], 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise FilterError(text, position, *_unreadable(text[position]))
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], position))
        position = match.end()
    return (*found, Token("end", "", len(text)))


def _unreadable(character: str) -> tuple[str, str]:
    if character in "'\"`":
        return (
            f"the quote {character} is not closed.",
            "Within quotes write a quote twice: 'it''s', or use the other kind: \"it's\".",
        )
    if character.isdigit() or character in "+-.":
        return (
            "this is not a number.",
            "Write numbers as 0.9 or 1e-3, durations as 5m, keys with odd signs in `backticks`.",
        )
    return f"{character!r} has no meaning in a filter.", "Put text in 'quotes' and odd keys in `backticks`."
