"""Checking a chain: recompute every hash and link, then compare with an anchor kept elsewhere.

A plain chain does not show a cut tail or a wholly rebuilt chain, since both are again valid chains; an anchor
(count and head hash, written earlier and kept out of reach) shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from core.ledger.canonical import GENESIS, record_hash
from core.ledger.types import Anchor, Problem, ProblemKind, Verification

Row = tuple[Any, ...]
"""seq, at, kind, model, environment, actor, key, payload, prev_hash, hash."""

_MOST = 100


@dataclass
class _Walk:
    """What is known while walking down the chain."""

    seq: int = 0
    hash: str = GENESIS
    at: str = ""
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    changed: dict[int, Row] = field(default_factory=dict)
    anchored: str | None = None

    def found(self, seq: int, kind: ProblemKind, detail: str) -> None:
        if len(self.problems) < _MOST:
            self.problems.append(Problem(seq, kind, detail))


def verify_rows(rows: Iterable[Row], anchor: Anchor | None = None) -> Verification:
    """Check rows in ascending order of ``seq``; at most 100 problems are listed, each naming its row."""
    walk = _Walk()
    for row in rows:
        _step(walk, row, anchor)
    _name_swaps(walk)
    if anchor is not None:
        _compare(walk, anchor)
    return Verification(
        events=walk.seq,
        head=walk.hash,
        problems=tuple(sorted(walk.problems, key=lambda problem: problem.seq)),
        notices=tuple(walk.notices),
        anchored=anchor is not None,
    )


def _step(walk: _Walk, row: Row, anchor: Anchor | None) -> None:
    seq, at, prev_hash, stored = row[0], row[1], row[8], row[9]
    intact = record_hash(row[:9]) == stored
    removed = seq != walk.seq + 1
    if removed:
        gap = f"Event {walk.seq + 1} is" if seq == walk.seq + 2 else f"Events {walk.seq + 1} to {seq - 1} are"
        walk.found(walk.seq + 1, ProblemKind.REMOVED, f"{gap} missing: event {seq} follows event {walk.seq}.")
    if not intact:
        walk.changed[seq] = row
        walk.found(seq, ProblemKind.CHANGED, f"Event {seq} was changed: its content does not give its hash.")
    elif prev_hash != walk.hash and not removed and walk.seq not in walk.changed:
        kind = ProblemKind.BROKEN_LINK
        walk.found(
            walk.seq or seq,
            kind,
            f"Event {walk.seq} was rewritten: event {seq} recorded another hash for it."
            if walk.seq
            else f"Event {seq} does not begin the chain: it names an event before it.",
        )
    if at < walk.at:
        walk.notices.append(f"The clock went back before event {seq}: {at} after {walk.at}.")
    walk.seq, walk.hash, walk.at = seq, stored, at
    if anchor is not None and seq == anchor.events:
        walk.anchored = stored


def _name_swaps(walk: _Walk) -> None:
    """A changed row whose content fits the number of another changed row was moved, not edited."""
    for seq, row in walk.changed.items():
        for other in walk.changed if len(walk.changed) <= _MOST else ():
            if other != seq and record_hash((other, *row[1:9])) == row[9]:
                problem = Problem(seq, ProblemKind.SWAPPED, f"Event {seq} holds what was event {other}.")
                walk.problems = [problem if item.seq == seq else item for item in walk.problems]


def _compare(walk: _Walk, anchor: Anchor) -> None:
    if walk.seq < anchor.events:
        walk.found(
            walk.seq + 1,
            ProblemKind.CUT_TAIL,
            f"The tail is cut: {walk.seq:,} events are left of the {anchor.events:,} that were anchored.",
        )
    elif anchor.events and walk.anchored != anchor.hash:
        walk.found(
            anchor.events,
            ProblemKind.REBUILT,
            f"The chain was rebuilt: event {anchor.events} has another hash than was anchored.",
        )
