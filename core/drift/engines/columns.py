"""One column inside an engine as the evidence that :mod:`core.drift.judge` judges; the rules are those of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial

import narwhals as nw

from core.drift.compare import SMALL_CELL, ordered_statistics, quality, statistics
from core.drift.engines import levels
from core.drift.engines.facts import count_if
from core.drift.engines.numbers import compare_numbers
from core.drift.engines.table import EngineTable
from core.drift.judge import Evidence
from core.drift.kinds import Family, is_named_like_id, numeric_kind, text_kind
from core.drift.profile import Profile, holds_iso_times
from core.drift.statistics.ks import pvalue
from core.drift.types import ColumnKind, Quality, Statistics, TestResult

_BY_LEVEL = (ColumnKind.CATEGORICAL, ColumnKind.BOOLEAN)
_NUMBERS = (Family.NUMBER, Family.BOOLEAN)


@dataclass(frozen=True, slots=True)
class Pair:
    """One column on both sides."""

    left: EngineTable
    right: EngineTable
    name: str

    def examine(self, override: ColumnKind | None, now: datetime | None) -> Evidence:
        """The evidence on the column; raises EngineFailed where the engine cannot tell it."""
        known = self._reference(override)
        seen = replace(_bare(self.right, self.name), kind=known.kind)
        compare = {
            ColumnKind.IDENTIFIER: self._identifiers,
            ColumnKind.DATETIME: partial(self._times, now=now),
        }.get(known.kind, self._distributions)
        return compare(known, seen)

    def _reference(self, override: ColumnKind | None) -> Profile:
        profile = _bare(self.left, self.name)
        if profile.family is Family.OTHER or override is ColumnKind.UNSUPPORTED:
            return replace(profile, kind=ColumnKind.UNSUPPORTED)
        if profile.present == 0:
            return replace(profile, kind=ColumnKind.EMPTY)
        if override is not None:
            found = self._levels(self.left, profile) if override in _BY_LEVEL else profile
            return replace(found, kind=override)
        if profile.family is Family.NUMBER:
            return replace(profile, kind=self._numeric_kind(profile))
        if profile.family is Family.TIME:
            return replace(profile, kind=ColumnKind.DATETIME)
        if profile.family is Family.BOOLEAN:
            return replace(self._levels(self.left, profile), kind=ColumnKind.BOOLEAN)
        return self._text(profile)

    def _numeric_kind(self, profile: Profile) -> ColumnKind:
        facts, rows = self.left.facts.of(self.name), profile.present
        if facts.is_constant:
            return ColumnKind.CONSTANT
        if not self.left.type_of(self.name).is_integer():
            return ColumnKind.NUMERIC
        span = facts.high - facts.low + 1
        if span <= 0.9 * rows or not (is_named_like_id(self.name) or span == rows):
            return ColumnKind.NUMERIC  # too few different values are possible, so they are not counted
        found = levels.distinct(self.left, self.name)
        return numeric_kind(
            self.name, rows=rows, distinct=found, whole=True, counts_up=found == rows and span == found
        )

    def _text(self, profile: Profile) -> Profile:
        found = levels.distinct(self.left, self.name)
        words = levels.mean_words(self.left, self.name)
        kind = text_kind(rows=profile.present, distinct=found, words=words)
        if kind not in (ColumnKind.CATEGORICAL, ColumnKind.CONSTANT):
            return replace(profile, kind=kind)
        counted = self._levels(self.left, profile)
        if holds_iso_times(levels.as_array(counted.levels)):
            return replace(profile, kind=ColumnKind.DATETIME)
        return replace(counted, kind=kind)

    def _levels(self, table: EngineTable, profile: Profile) -> Profile:
        names, counts = levels.levels(table, self.name)
        return replace(profile, levels=names, counts=counts)

    def _distributions(self, known: Profile, seen: Profile) -> Evidence:
        if known.levels is not None and seen.present and seen.family is not Family.OTHER:
            seen = self._levels(self.right, seen)
            if known.family is Family.BOOLEAN and seen.family is Family.NUMBER:
                seen = replace(seen, levels=levels.as_booleans(seen.levels))
            found, facts = statistics(known, seen), quality(known, seen)
            return Evidence(known.outline, seen.outline, found, facts, len(seen.levels))
        facts = quality(known, seen)
        ordered = known.kind in (ColumnKind.NUMERIC, ColumnKind.CONSTANT) and known.family in _NUMBERS
        if not ordered or seen.family not in _NUMBERS:
            return Evidence(known, seen, Statistics(), facts)
        facts = self._ends(facts)
        if not seen.present:
            return Evidence(known, seen, Statistics(), facts)
        found = compare_numbers(self.left, self.right, self.name)
        n, m = known.present, seen.present
        ks = TestResult(found.distance, *pvalue(n, m, found.distance))
        figures = ordered_statistics(ks, found.parts, found.few, (known.missing, seen.missing), None)
        below, above = found.outside
        return Evidence(known, seen, figures, replace(facts, below_range=below, above_range=above))

    def _ends(self, plain: Quality) -> Quality:
        """The quality facts with what the range of a column of numbers or times tells."""
        left, right = self.left.facts.of(self.name), self.right.facts.of(self.name)
        return replace(
            plain,
            infinite_reference=left.infinite,
            infinite_current=right.infinite,
            constant_reference=left.is_constant,
            constant_current=right.is_constant,
        )

    def _identifiers(self, known: Profile, seen: Profile) -> Evidence:
        facts = quality(known, seen)
        if seen.present and seen.family is known.family:
            repeated = seen.present - levels.distinct(self.right, self.name)
            new = levels.new_values(self.left, self.right, self.name)
            facts = replace(facts, duplicates_current=repeated, new_values=new)
        return Evidence(known, seen, Statistics(), facts)

    def _times(self, known: Profile, seen: Profile, now: datetime | None) -> Evidence:
        facts = quality(known, seen)
        if {known.family, seen.family} != {Family.TIME}:
            return Evidence(known, seen, Statistics(), facts)
        facts = self._ends(facts)
        if not seen.present:
            newest = _newest(self.left, self.name, known.present)
            return Evidence(known, seen, Statistics(), replace(facts, newest_reference=newest))
        left = self.left.facts.of(self.name)
        column = nw.col(self.name)
        asked = {"below": count_if(column < left.low), "above": count_if(column > left.high)}
        if now is not None:
            asked["future"] = count_if(column > _moment(self.right.type_of(self.name), now))
        counts = self.right.fetch_one(self.right.frame.select(**asked))
        facts = replace(
            facts,
            below_range=counts["below"],
            above_range=counts["above"],
            in_future=counts.get("future", 0),
            newest_reference=_newest(self.left, self.name, known.present),
            newest_current=_newest(self.right, self.name, seen.present),
        )
        return Evidence(known, seen, Statistics(), facts)


def _bare(table: EngineTable, name: str) -> Profile:
    missing = table.facts.of(name).missing
    return Profile(
        name, ColumnKind.EMPTY, str(table.type_of(name)), table.family_of(name), table.rows, missing
    )


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
