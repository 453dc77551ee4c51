"""One column inside an engine as the evidence that :mod:`core.drift.judge` judges; the rules are those of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property, partial

import narwhals as nw
import numpy as np

from core.drift.compare import SMALL_CELL, ordered_statistics, quality, statistics
from core.drift.engines import levels
from core.drift.engines.facts import count_if
from core.drift.engines.failures import Answers
from core.drift.engines.numbers import Numbers, compare_numbers
from core.drift.engines.table import EngineTable
from core.drift.judge import Evidence
from core.drift.kinds import Family, is_named_like_id, numeric_kind, text_kind
from core.drift.profile import Profile, holds_iso_times
from core.drift.statistics.ks import pvalue
from core.drift.types import ColumnKind, Quality, Statistics, TestResult

_BY_LEVEL = (ColumnKind.CATEGORICAL, ColumnKind.BOOLEAN)


class Comparison:
    """Two tables of one engine, column by column; what can be asked of many columns at once is asked once for all.

    ``names`` are columns that both have, ``kinds`` what a policy says of some; with ``now`` times in the future count.
    """

    def __init__(
        self,
        left: EngineTable,
        right: EngineTable,
        names: Sequence[str],
        kinds: Mapping[str, ColumnKind],
        now: datetime | None,
    ) -> None:
        self.left, self.right, self._kinds, self._now = left, right, kinds, now
        read = [name for name in names if self._is_read(name)]
        self._wordings = Answers(read, partial(levels.wording, left))
        self._drafts = Answers(names, lambda some: {name: self._draft(name) for name in some})

    def examine(self, name: str) -> Evidence:
        """The evidence on a column; raises EngineFailed where the engine cannot tell it."""
        known = self._reference(name)
        seen = replace(_bare(self.right, name), kind=known.kind)
        compare = {ColumnKind.IDENTIFIER: self._identifiers, ColumnKind.DATETIME: self._times}
        return compare.get(known.kind, self._distributions)(known, seen)

    def _is_read(self, name: str) -> bool:
        """Whether the words of a column tell its kind."""
        text = self.left.family_of(name) is Family.TEXT and name not in self._kinds
        return text and _present(self.left, name) > 0

    def _draft(self, name: str) -> Profile:
        """The reference's column with its kind, before its levels are looked at."""
        profile, override = _bare(self.left, name), self._kinds.get(name)
        if profile.family is Family.OTHER or override is ColumnKind.UNSUPPORTED:
            return replace(profile, kind=ColumnKind.UNSUPPORTED)
        if profile.present == 0:
            return profile
        kind = override or {
            Family.NUMBER: self._numeric_kind, Family.TEXT: self._text_kind,
            Family.TIME: lambda _: ColumnKind.DATETIME, Family.BOOLEAN: lambda _: ColumnKind.BOOLEAN,
        }[profile.family](profile)  # fmt: skip
        return replace(profile, kind=kind)

    def _numeric_kind(self, profile: Profile) -> ColumnKind:
        name, rows = profile.name, profile.present
        facts = self.left.facts.of(name)
        if facts.is_constant:
            return ColumnKind.CONSTANT
        if not self.left.type_of(name).is_integer():
            return ColumnKind.NUMERIC
        span = facts.high - facts.low + 1
        if span <= 0.9 * rows or not (is_named_like_id(name) or span == rows):
            return ColumnKind.NUMERIC  # too few different values are possible, so they are not counted
        found = levels.distinct(self.left, name)
        return numeric_kind(
            name, rows=rows, distinct=found, whole=True, counts_up=found == rows and span == found
        )

    def _text_kind(self, profile: Profile) -> ColumnKind:
        found, words = self._wordings.of(profile.name)
        return text_kind(rows=profile.present, distinct=found, words=words)

    def _reference(self, name: str) -> Profile:
        draft = self._drafts.of(name)
        if not self._is_by_level(draft):
            return draft
        names, counts = self._levels_of(name)[0]
        if (
            name not in self._kinds
            and draft.family is Family.TEXT
            and holds_iso_times(levels.as_array(names))
        ):
            return replace(draft, kind=ColumnKind.DATETIME)
        return replace(draft, levels=names, counts=counts)

    def _is_by_level(self, draft: Profile) -> bool:
        read = draft.name not in self._kinds and draft.family is Family.TEXT
        return draft.kind in _BY_LEVEL or (read and draft.kind is ColumnKind.CONSTANT)

    def _levels_of(self, name: str) -> tuple[levels.Levels, levels.Levels]:
        """The levels of both sides; none of a side whose values do not compare."""
        if name in self._levels.names:
            return self._levels.of(name)
        comparable = _present(self.right, name) and self.right.family_of(name) is not Family.OTHER
        nothing = np.empty(0, object), np.empty(0, np.int64)
        return levels.levels(self.left, name), levels.levels(self.right, name) if comparable else nothing

    @cached_property
    def _levels(self) -> Answers[tuple[levels.Levels, levels.Levels]]:
        names = [
            draft.name
            for draft in self._drafts.told()
            if self._is_by_level(draft) and self.right.family_of(draft.name) is draft.family
            if draft.family in (Family.TEXT, Family.BOOLEAN) and _present(self.right, draft.name)
        ]
        return Answers(names, partial(levels.levels_of_both, self.left, self.right))

    @cached_property
    def _numbers(self) -> Answers[Numbers]:
        names = [
            draft.name
            for draft in self._drafts.told()
            if self._is_ordered(draft) and _present(self.right, draft.name)
        ]
        return Answers(names, partial(compare_numbers, self.left, self.right))

    def _is_ordered(self, known: Profile) -> bool:
        numbers = {known.family, self.right.family_of(known.name)} <= {Family.NUMBER, Family.BOOLEAN}
        return numbers and known.kind in (ColumnKind.NUMERIC, ColumnKind.CONSTANT)

    def _distributions(self, known: Profile, seen: Profile) -> Evidence:
        name = known.name
        if known.levels is not None and seen.present and seen.family is not Family.OTHER:
            names, counts = self._levels_of(name)[1]
            if known.family is Family.BOOLEAN and seen.family is Family.NUMBER:
                names = levels.as_booleans(names)
            seen = replace(seen, levels=names, counts=counts)
            found, facts = statistics(known, seen), quality(known, seen)
            return Evidence(known.outline, seen.outline, found, facts, len(seen.levels))
        facts = quality(known, seen)
        if not self._is_ordered(known):
            return Evidence(known, seen, Statistics(), facts)
        facts = self._ends(name, facts)
        if not seen.present:
            return Evidence(known, seen, Statistics(), facts)
        found = self._numbers.of(name)
        n, m = known.present, seen.present
        ks = TestResult(found.distance, *pvalue(n, m, found.distance))
        figures = ordered_statistics(ks, found.parts, found.few, (known.missing, seen.missing), None)
        below, above = found.outside
        return Evidence(known, seen, figures, replace(facts, below_range=below, above_range=above))

    def _ends(self, name: str, plain: Quality) -> Quality:
        """The quality facts with what the range of a column of numbers or times tells."""
        left, right = self.left.facts.of(name), self.right.facts.of(name)
        return replace(
            plain,
            infinite_reference=left.infinite,
            infinite_current=right.infinite,
            constant_reference=left.is_constant,
            constant_current=right.is_constant,
        )

    def _identifiers(self, known: Profile, seen: Profile) -> Evidence:
        name, facts = known.name, quality(known, seen)
        if seen.present and seen.family is known.family:
            repeated = seen.present - levels.distinct(self.right, name)
            new = levels.new_values(self.left, self.right, name)
            facts = replace(facts, duplicates_current=repeated, new_values=new)
        return Evidence(known, seen, Statistics(), facts)

    def _times(self, known: Profile, seen: Profile) -> Evidence:
        name, now, facts = known.name, self._now, quality(known, seen)
        if {known.family, seen.family} != {Family.TIME}:
            return Evidence(known, seen, Statistics(), facts)
        facts = self._ends(name, facts)
        if not seen.present:
            newest = _newest(self.left, name, known.present)
            return Evidence(known, seen, Statistics(), replace(facts, newest_reference=newest))
        left = self.left.facts.of(name)
        column = nw.col(name)
        asked = {"below": count_if(column < left.low), "above": count_if(column > left.high)}
        if now is not None:
            asked["future"] = count_if(column > _moment(self.right.type_of(name), now))
        counts = self.right.fetch_one(self.right.frame.select(**asked))
        facts = replace(
            facts,
            below_range=counts["below"],
            above_range=counts["above"],
            in_future=counts.get("future", 0),
            newest_reference=_newest(self.left, name, known.present),
            newest_current=_newest(self.right, name, seen.present),
        )
        return Evidence(known, seen, Statistics(), facts)


def _bare(table: EngineTable, name: str) -> Profile:
    missing = table.facts.of(name).missing
    return Profile(
        name, ColumnKind.EMPTY, str(table.type_of(name)), table.family_of(name), table.rows, missing
    )


def _present(table: EngineTable, name: str) -> int:
    """The rows with a value; none of a column that the engine cannot tell anything of."""
    facts = table.facts
    return 0 if name in facts.failed else facts.rows - facts.of(name).missing


def _moment(kind: nw.dtypes.DType, now: datetime) -> datetime | date:
    """``now`` as the column writes times; those without a zone are UTC."""
    if kind == nw.Date:
        return now.astimezone(UTC).date()
    return now if getattr(kind, "time_zone", None) else now.astimezone(UTC).replace(tzinfo=None)


def _newest(table: EngineTable, name: str, present: int) -> datetime | None:
    """The day that at least ten later rows reach too."""
    if present <= SMALL_CELL:
        return None
    column = table.frame.select(name).filter(~nw.col(name).is_null())
    asked = column.sort(name, descending=True).head(SMALL_CELL + 1).select(nw.col(name).min().alias("found"))
    found = table.fetch_one(asked)["found"]
    if isinstance(found, datetime) and found.tzinfo is not None:
        found = found.astimezone(UTC)
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
