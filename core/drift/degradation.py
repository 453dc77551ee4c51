"""When has a model got worse? The tutorial's rules, held back where the rows are too few to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.drift.metrics import Z95, Metric, direction
from core.drift.types import Severity

DROP = 0.05
CRITICAL_DROP = 0.1
TREND = -0.01
TREND_POINTS = 5
MATERIAL = 0.01
_BASELINE_WINDOWS = 3
Z_POWER = 1.645
"""Normal quantile of a power of 95 %."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should look at; ``window`` names the window it was seen in, if any."""

    type: str
    severity: Severity
    message: str
    window: str | None
    metric: str | None = None


def plain_rules(values: Sequence[float]) -> tuple[tuple[str, Severity], ...]:
    """The tutorial's rules on the newest of ``values`` (oldest first, higher is better), rows unknown.

    A drop of more than 0.05 against the previous value; of more than 0.1 it is critical. A mean of the
    differences between the last five values (four differences) under -0.01 is high.
    """
    known = [value for value in values if not math.isnan(value)]
    found: list[tuple[str, Severity]] = []
    if len(known) >= 2 and known[-2] - known[-1] > DROP:
        critical = known[-2] - known[-1] > CRITICAL_DROP
        found.append(("performance_drop", Severity.CRITICAL if critical else Severity.WARNING))
    recent = known[-TREND_POINTS:]
    if len(recent) == TREND_POINTS and (recent[-1] - recent[0]) / (TREND_POINTS - 1) < TREND:
        found.append(("performance_trend", Severity.HIGH))
    return tuple(found)


def degradation(
    series: Sequence[tuple[str, Mapping[str, Metric]]], directions: Mapping[str, str]
) -> tuple[Alert, ...]:
    """Alerts over windows (name, metrics), oldest first.

    A rule fires only if the fall is larger than chance explains with the rows at hand (95 %, Bonferroni over
    the windows). Besides, a fall of 0.01 or more against the first three windows is said where it begins and
    is significant, even when it stays under the tutorial's thresholds.
    """
    names = dict.fromkeys(name for _, metrics in series for name in metrics)
    alerts: list[Alert] = []
    for name in names:
        known = [(window, metrics[name]) for window, metrics in series if name in metrics]
        alerts.extend(_of_metric(name, known, direction(name, directions)))
    order = {window: place for place, (window, _) in enumerate(series)}
    return tuple(sorted(alerts, key=lambda alert: order.get(alert.window or "", -1)))


def _of_metric(name: str, known: list[tuple[str, Metric]], sign: int) -> list[Alert]:
    alerts: list[Alert] = []
    values = [sign * metric.value for _, metric in known]
    fallen = False
    limit = _bonferroni_z(max(1, len(known) - 1))
    for at in range(1, len(known)):
        window, metric = known[at]
        fired = dict(plain_rules(values[: at + 1]))
        starts = {"performance_drop": at - 1, "performance_trend": at - TREND_POINTS + 1}
        sure = {
            rule: severity
            for rule, severity in fired.items()
            if _z(known[starts[rule]][1], metric, sign) > limit
        }
        alerts.extend(
            Alert(rule, severity, _sentence(rule, name, known[starts[rule]][1], metric), window, name)
            for rule, severity in sure.items()
        )
        base = _baseline([found for _, found in known], at)
        before, fallen = fallen, base is not None and _stays_down(base, metric, sign, limit)
        if fallen and not before and not sure and base is not None:  # said once, where the fall begins
            said = _sentence("significant_drop", name, base, metric)
            alerts.append(Alert("significant_drop", Severity.WARNING, said, window, name))
    return alerts


def _sentence(rule: str, name: str, before: Metric, now: Metric) -> str:
    since = {
        "performance_drop": "against the window before",
        "performance_trend": "over the last five windows",
        "significant_drop": "against the first windows, more than chance explains",
    }[rule]
    word = "fell" if now.value < before.value else "rose"
    return f"{name} {word} from {before.value:.3f} to {now.value:.3f} {since}"


def _baseline(known: Sequence[Metric], at: int) -> Metric | None:
    """The first windows as one measurement; None while still in them."""
    return None if at < _BASELINE_WINDOWS else _together(known[:_BASELINE_WINDOWS])


def _together(metrics: Sequence[Metric]) -> Metric | None:
    """Windows as one measurement, weighted by how sure each is; None where none has an error to weigh by."""
    sure = [metric for metric in metrics if metric.error > 0]
    if not sure:
        return None
    weights = [1 / metric.error**2 for metric in sure]
    mean = sum(w * metric.value for w, metric in zip(weights, sure, strict=True)) / sum(weights)
    half = Z95 / math.sqrt(sum(weights))
    return Metric(mean, mean - half, mean + half)


def _fell(before: Metric, now: Metric, sign: int) -> float:
    return sign * (before.value - now.value)


def _stays_down(base: Metric, now: Metric, sign: int, limit: float) -> bool:
    return _fell(base, now, sign) >= MATERIAL and _z(base, now, sign) > limit


def _z(before: Metric, now: Metric, sign: int) -> float:
    error = math.hypot(before.error, now.error)
    fell = _fell(before, now, sign)
    if error == 0:
        return math.inf if fell > 0 else 0.0
    return fell / error


def _bonferroni_z(windows: int) -> float:
    from scipy.special import ndtri

    return float(-ndtri(0.025 / windows))


def still_down(
    series: Sequence[tuple[str, Mapping[str, Metric]]], name: str, directions: Mapping[str, str]
) -> bool:
    """True while ``name`` lies under its first windows by more than chance explains.

    A fall is over when the windows since it was last certain, taken together, no longer show it though they would
    in 19 of 20 cases: forty labelled rows that happen to look better end nothing.
    """
    known = [metrics[name] for _, metrics in series if name in metrics]
    base, sign = _baseline(known, len(known) - 1), direction(name, directions)
    if base is None:
        return False
    down = [at for at in range(_BASELINE_WINDOWS, len(known)) if _stays_down(base, known[at], sign, Z95)]
    if not down:
        return False
    later = _together(known[down[-1] + 1 :])
    if later is None or _stays_down(base, later, sign, Z95):
        return True
    shown = _fell(base, known[down[-1]], sign)
    return shown < (Z95 + Z_POWER) * math.hypot(base.error, later.error)


def fallen_since(
    series: Sequence[tuple[str, Mapping[str, Metric]]], name: str, directions: Mapping[str, str]
) -> str | None:
    """The window in which the present fall of ``name`` began; None while it is not down.

    A window too small to be sure by itself belongs to it when it lies down by half of the newest certain fall.
    """
    if not still_down(series, name, directions):
        return None
    known = [(window, metrics[name]) for window, metrics in series if name in metrics]
    values, sign = [metric for _, metric in known], direction(name, directions)
    base = _baseline(values, len(values) - 1)
    if base is None:
        return None
    sure = [at for at in range(_BASELINE_WINDOWS, len(values)) if _stays_down(base, values[at], sign, Z95)]
    began, half = sure[-1], _fell(base, values[sure[-1]], sign) / 2
    for at in range(sure[-1] - 1, _BASELINE_WINDOWS - 1, -1):
        if at not in sure and _fell(base, values[at], sign) < half:
            break
        began = at
    return known[began][0]
