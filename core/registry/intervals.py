"""From the interval of a paired difference to an outcome: may it be worse by more than the margin?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.compare.types import Estimate


def by_interval(estimate: Estimate, sign: int, margin: float) -> tuple[str, str, str]:
    """PASS, FAIL or INCONCLUSIVE; the difference with its interval; and what that means, '' for PASS.

    ``sign`` is 1 where higher is better, else -1. A pass needs the whole interval within the margin.
    """
    low, high = sorted((sign * estimate.low, sign * estimate.high))
    numbers = (
        f"difference {estimate.difference:+.4g}, 95 % interval {estimate.low:+.4g} to {estimate.high:+.4g} "
        f"(n = {estimate.n:,}, {estimate.method})"
    )
    if low >= -margin:
        return "PASS", numbers, ""
    if high < -margin:
        return "FAIL", numbers, f"worse than the margin of {margin:g} allows"
    return "INCONCLUSIVE", numbers, f"the interval holds the margin of {margin:g}"
