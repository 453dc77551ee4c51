"""What may leave the machine: small counts of people are hidden, and so is what they could be worked out from.

One rule for pages, exports, logs and the command line, after the cell-size rule of the US health statistics
(CMS: no cell of 1 to 10, nor a percentage or complement that gives it away; zero may be shown).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

SMALLEST = 11
"""The smallest count of people that is shown."""

SMALL = "<11"
"""How a count of 1 to 10 is shown."""

HIDDEN = "hidden"
"""How something is shown that would give a small count away."""

RARE = "<rare level>"
"""How levels are named that fewer than eleven people share: such a level may be one person's value."""

_IDENTIFIERS = re.compile(
    r"((patient|person|subject|member|case|encounter|visit|admission|record|hospital)_?)?(id|uuid|guid|no|number)"
    r"|(patient_?)?(name|surname|first_?name|last_?name|full_?name)|ssn|mrn|nhs_?number|insurance_?(id|no|number)"
    r"|birth_?date|date_?of_?birth|dob|e_?mail|phone|telephone|address|street|postcode|zip(_?code)?|ip(_?address)?",
    re.IGNORECASE,
)
_SIZES = frozenset(("n", "count", "rows", "support", "patients", "cases"))
_CELLS = frozenset(("tp", "fp", "tn", "fn", "positives", "negatives"))


def is_small(count: float) -> bool:
    """Whether a count of people must not be shown."""
    return 0 < count < SMALLEST


def shown_count(count: int) -> int | str:
    """The count, or ``<11`` for 1 to 10; 0 is shown."""
    return SMALL if is_small(count) else count


def small_count(count: int) -> str:
    """A count of people in words; 1 to 10 is hidden (a small cell could point at a person), 0 is shown."""
    shown = shown_count(count)
    return shown if isinstance(shown, str) else f"{shown:,}"


def shown_share(count: int, of: int) -> float | None:
    """``count`` / ``of``; None where it would tell a small count, its complement, or is about too few people."""
    if of < SMALLEST or is_small(count) or is_small(of - count):
        return None
    return count / of


def shown_cells(counts: Sequence[int]) -> tuple[int | str, ...]:
    """The parts of a whole whose total is known: small ones as ``<11``, and as many others as ``hidden``
    as it takes that no hidden one can be worked out from the total; all of them where that does not suffice."""
    hidden = {index for index, count in enumerate(counts) if is_small(count)}
    others = sorted(
        (index for index, count in enumerate(counts) if count >= SMALLEST), key=lambda index: counts[index]
    )
    while hidden and others and _solvable([counts[index] for index in hidden]):
        hidden.add(others.pop(0))
    if hidden and _solvable([counts[index] for index in hidden]):
        return (HIDDEN,) * len(counts)
    return tuple(
        count if index not in hidden else SMALL if is_small(count) else HIDDEN
        for index, count in enumerate(counts)
    )


def joined_cells(counts: Sequence[int]) -> tuple[slice, ...]:
    """Neighbouring cells of a histogram, joined until each holds nobody or eleven people and more.

    Nothing is hidden then, and nothing can be worked out from the total. One slice of all cells where there are fewer
    than eleven people in all.
    """
    found: list[tuple[int, int, int]] = []
    start, held = 0, 0
    for place, count in enumerate(counts):
        held += count
        if not is_small(held):
            found.append((start, place + 1, held))
            start, held = place + 1, 0
    while held and found and is_small(held):  # what is left at the end joins those before it
        start, _, before = found.pop()
        held += before
    if start < len(counts):
        found.append((start, len(counts), held))
    return tuple(slice(first, last) for first, last, _ in found)


def _solvable(hidden: Sequence[int]) -> bool:
    """Whether one of the small cells follows from the sum of all hidden ones.

    A reader knows that a cell shown as ``<11`` is 1 to 10 and that a ``hidden`` one is 11 or more.
    """
    total, small = sum(hidden), [count for count in hidden if is_small(count)]
    large = len(hidden) - len(small)
    most = total - (len(small) - 1) - SMALLEST * large
    least = 1 if large else total - (SMALLEST - 1) * (len(small) - 1)
    return min(SMALLEST - 1, most) <= max(1, least)


def identifier_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The names that look like a column that tells who a person is."""
    return tuple(name for name in names if _IDENTIFIERS.fullmatch(name.strip()))


def shown_metrics(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Logged metrics with small counts of people hidden, as far as their names tell.

    ``n_female`` and ``site_a.support`` are the sizes of groups: where one is small, the rates of that group
    (``sensitivity_female``, ``site_a.auroc``) are hidden too. ``test/tp`` is a cell of a confusion table: where
    one is small, all cells of that table are hidden, since published rates give one from the others.
    """
    small = {name for name, value in metrics.items() if is_small(value)}
    few = {group for name in small for group in _groups(name, _SIZES)}
    tables = {group for name in small for group in _groups(name, _CELLS)}

    def shown(name: str, value: float) -> float | str:
        if own := _groups(name, _CELLS):
            return HIDDEN if own & tables else value
        if _groups(name, _SIZES):
            return SMALL if name in small else value
        words = _words(name)
        return HIDDEN if few & {"", "_".join(words[1:]), "_".join(words[:-1])} else value

    return {name: shown(name, value) for name, value in metrics.items()}


@lru_cache(maxsize=4096)
def _groups(name: str, counts: frozenset[str]) -> frozenset[str]:
    """The group of people that a metric with one of these words counts ('' is everybody); else empty."""
    words = _words(name)
    found = {"_".join(words[:-1])} if words[-1] in counts else set()
    return frozenset(found | ({"_".join(words[1:])} if words[0] in counts else set()))


@lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    return tuple(re.split(r"[^a-z0-9]+", name.lower()))
