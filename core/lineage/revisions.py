"""Naming commits without git at hand: branches, tags, experiments, short hashes, ``~2`` and ``^``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SHORTEST = 4
_STEPS = re.compile(r"(.+?)((?:~\d*|\^)*)", re.DOTALL)
_STEP = re.compile(r"~(\d*)|\^")


@dataclass(frozen=True, slots=True)
class Revisions:
    """What commits are called: ``names`` -> hashes (several with several repositories), and first parents."""

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parents: Mapping[str, str | None] = field(default_factory=dict)

    def resolve(self, text: str) -> frozenset[str]:
        """Full hashes of the commits that ``text`` means; empty when none is."""
        match = _STEPS.fullmatch(text)
        if match is None:
            return frozenset()
        steps = sum(int(step[1] or 1) if step[0] != "^" else 1 for step in _STEP.finditer(match[2]))
        ends = (self._back(sha, steps) for sha in self._named(match[1]))
        return frozenset(sha for sha in ends if sha)

    def _named(self, name: str) -> Iterable[str]:
        if name in self.names:
            return self.names[name]
        if len(name) < SHORTEST:
            return ()
        return [sha for sha in self.parents if sha.startswith(name.lower())]

    def _back(self, sha: str, steps: int) -> str | None:
        here: str | None = sha
        for _ in range(min(steps, len(self.parents) + 1)):
            here = self.parents.get(here) if here else None
        return here
