"""A threshold is an object that checks itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from core.errors import BadSettings


class Direction(StrEnum):
    """On which side of the threshold a value means drift."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit on a statistic. ``name`` is the setting's name, for the error message.

    Raises BadSettings when the limit is not a number or leaves [``lowest``, ``highest``].
    """

    name: str
    value: float
    direction: Direction = Direction.ABOVE
    lowest: float = 0.0
    highest: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise BadSettings(f"'{self.name}' must be a number.", "Correct it in the policy.")
        if not self.lowest <= self.value <= self.highest:
            raise BadSettings(
                f"'{self.name}' is {self.value:g}; it must lie between {self.lowest:g} and {self.highest:g}.",
                "Correct it in the policy.",
            )

    def crossed_by(self, value: float | None) -> bool:
        """True when ``value`` means drift; a missing or NaN value never does. The limit itself counts."""
        if value is None or math.isnan(value):
            return False
        return value >= self.value if self.direction is Direction.ABOVE else value < self.value
