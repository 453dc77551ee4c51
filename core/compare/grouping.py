"""Runs of one setting collapsed into a row: mean, standard deviation, n, minimum and maximum."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from core.compare.types import Item

_SEED = re.compile(r"(?:^|[._/ -])(?:(?:random|rng|np|numpy|torch|global)_?)?(?:seed|random_state)$", re.I)

Setting = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A metric over the runs of a group; ``sd`` (n - 1 in the denominator) is None for a single run."""

    mean: float
    sd: float | None
    n: int
    low: float
    high: float
    left_out: int = 0

    @property
    def words(self) -> str:
        """Mean, spread and count as a table cell says them; NaN or missing values are counted apart."""
        if not self.n:
            return "no value"
        left_out = f", {self.left_out} without a value" if self.left_out else ""
        if self.sd is None:
            return f"{self.mean:.4g} (single run, no spread{left_out})"
        return f"{self.mean:.4g} ± {self.sd:.2g} (n={self.n}{left_out})"


@dataclass(frozen=True, slots=True)
class Group:
    """Items that share a setting."""

    setting: Setting
    items: tuple[Item, ...]
    metrics: Mapping[str, Spread]


def is_seed(param: str) -> bool:
    """Whether a param only names the random seed: "seed", "random_state", "train.seed" ..."""
    return _SEED.search(param) is not None


def setting_of(item: Item, by: Sequence[str] | None = None) -> Setting:
    """What makes two runs repeats of each other: all params but seeds, or the keys named in ``by``.

    A key of ``by`` is a param's name, or a tag's as "tags.NAME".
    """
    if by is None:
        return tuple(sorted((key, str(value)) for key, value in item.params.items() if not is_seed(key)))
    return tuple((key, _value(item, key)) for key in by)


def collapse(items: Iterable[Item], by: Sequence[str] | None = None) -> tuple[Group, ...]:
    """Groups in order of their first item, each with the spread of every metric of its items."""
    members: dict[Setting, list[Item]] = {}
    for item in items:
        members.setdefault(setting_of(item, by), []).append(item)
    return tuple(_group(setting, group) for setting, group in members.items())


def spread(values: Sequence[float | None]) -> Spread:
    """The spread of the values that are numbers; infinite ones count as values, NaN and None do not."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    left_out = len(values) - len(known)
    if not known:
        return Spread(math.nan, None, 0, math.nan, math.nan, left_out)
    finite = all(map(math.isfinite, known))
    deviation = (stdev(known) if finite else math.nan) if len(known) > 1 else None
    return Spread(fmean(known), deviation, len(known), min(known), max(known), left_out)


def _group(setting: Setting, members: Sequence[Item]) -> Group:
    names = sorted(set().union(*(item.metrics for item in members)))
    metrics = {name: spread([item.metrics.get(name) for item in members]) for name in names}
    return Group(setting, tuple(members), metrics)


def _value(item: Item, key: str) -> str:
    values = item.tags if key.startswith("tags.") else item.params
    return str(values.get(key.removeprefix("tags."), "(none)"))
