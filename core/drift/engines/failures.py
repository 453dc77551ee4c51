"""What goes wrong when an engine is asked, and how one column that it refuses costs no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

from core.errors import Unavailable

T = TypeVar("T")
AT_ONCE = 40
"""So many columns in one question: engines limit how long a question and how deep a union may be."""


class EngineFailed(Unavailable):
    """The engine refused a question, such as one about a damaged column; never quotes a value."""


class TooMany(EngineFailed):
    """An answer would have more rows than an aggregate should."""


def together(
    names: Sequence[str], ask: Callable[[Sequence[str]], Mapping[str, T]]
) -> tuple[dict[str, T], dict[str, str]]:
    """What one question tells of up to :data:`AT_ONCE` columns; where the engine refuses it, one question for each.

    What is told by name, and why the others are not.
    """
    told: dict[str, T] = {}
    failed: dict[str, str] = {}
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        try:
            told |= ask(some)
        except EngineFailed as error:
            if len(some) == 1:
                failed[some[0]] = error.what
                continue
            for name in some:
                own, why = together((name,), ask)
                told |= own
                failed |= why
    return told, failed


class Answers(Generic[T]):
    """What one question tells of many columns, asked when the first of them is wanted."""

    def __init__(self, names: Sequence[str], ask: Callable[[Sequence[str]], Mapping[str, T]]) -> None:
        self.names, self._ask = names, ask

    def of(self, name: str) -> T:
        """What is told of ``name``; raises EngineFailed where it could not be."""
        told, failed = self._all
        if name in failed:
            raise EngineFailed(failed[name])
        return told[name]

    def told(self) -> tuple[T, ...]:
        """What is told of those columns that anything is told of."""
        return tuple(self._all[0].values())

    @cached_property
    def _all(self) -> tuple[dict[str, T], dict[str, str]]:
        return together(self.names, self._ask)
