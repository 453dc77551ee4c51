"""Performance by window: realised where labels have come, estimated where they have not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from core.drift.cbpe import Calibration, calibrate, estimate
from core.drift.degradation import Alert, degradation
from core.drift.metrics import Metric, is_binary, measure
from core.drift.prediction_log import LogColumns, PredictionLog, read_log
from core.drift.sources import open_source
from core.drift.types import Severity
from core.drift.windows import Window, cut
from core.privacy import SMALL, SMALLEST, is_small, shown_cells

MIN_LABELLED = SMALLEST
"""Metrics of fewer labelled rows are not shown: they would tell about single people."""
_CALIBRATION_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class WindowPerformance:
    """One window: ``n`` predictions, ``labelled`` of them with a label, metrics and estimates by name."""

    start: datetime | None
    end: datetime | None
    name: str
    n: int
    labelled: int
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    estimated: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """All windows, oldest first, and what they raise; ``why_not`` says why labels that are there could not be used."""

    windows: tuple[WindowPerformance, ...]
    alerts: tuple[Alert, ...]
    calibrated: bool | None = None
    why_not: str = ""

    @property
    def degraded(self) -> tuple[Alert, ...]:
        """The alerts that say the model has got worse."""
        return tuple(alert for alert in self.alerts if alert.severity is not Severity.NOTICE)

    def unforeseen(self, metric: str, since: str) -> bool:
        """Whether most windows from ``since`` on have an estimate that their labels contradict."""
        names = [part.name for part in self.windows]
        both = [
            part for part in self.windows[names.index(since) if since in names else 0 :]
            if metric in part.metrics and metric in part.estimated
        ]  # fmt: skip
        outside = [
            part for part in both
            if not part.metrics[metric].low <= part.estimated[metric].value <= part.metrics[metric].high
        ]  # fmt: skip
        return len(outside) > len(both) / 2

    @property
    def told_counts(self) -> tuple[tuple[int | str, int | str], ...]:
        """Predictions and labelled ones of each window as they may be told, also beside the same by week.

        ``all but <11`` where few have no label yet.
        """
        weeks: dict[object, list[int]] = {}
        for place, part in enumerate(self.windows):
            weeks.setdefault(part.start.isocalendar()[:2] if part.start else place, []).append(place)
        told: dict[int, tuple[int | str, int | str]] = {}
        for places in weeks.values():
            rows = shown_cells([self.windows[place].n for place in places])
            labelled = shown_cells([self.windows[place].labelled for place in places])
            for place, n, known in zip(places, rows, labelled, strict=True):
                part = self.windows[place]
                few = is_small(part.n - part.labelled) and part.labelled > 0
                told[place] = n, (f"all but {SMALL}" if few and n == part.n else known)
        return tuple(told[place] for place in range(len(self.windows)))

    @property
    def measured(self) -> tuple[WindowPerformance, ...]:
        """The windows with realised metrics."""
        return tuple(window for window in self.windows if window.metrics)


def performance(
    predictions: Any,
    labels: Any = None,
    *,
    window: str = "day",
    columns: LogColumns | None = None,
    calibration: Any = None,
    directions: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> PerformanceReport:
    """Metrics by window with intervals, estimates without labels, and alerts.

    ``labels`` are joined by request id; without them a label column of the predictions counts. The scores are
    calibrated on ``calibration`` (labelled predictions), else on the first 1,000 labelled rows of each version.
    Raises BadInput for files or columns that cannot be used.
    """
    names = columns or LogColumns()
    late = open_source(labels) if labels is not None else None
    log = read_log(open_source(predictions), late, names, now)
    cuts = cut(window, log.seconds, log.rows)
    fitted = _calibrations(
        log, None if calibration is None else read_log(open_source(calibration), None, names)
    )
    windows = tuple(_measure(log, part, fitted.get(_version(log, part.indices))) for part in cuts)
    facts = tuple(Alert("data", Severity.NOTICE, fact, None) for fact in log.facts)
    series = [(part.name, part.metrics) for part in windows if part.metrics]
    known = [found.fitted for found in fitted.values() if found is not None]
    return PerformanceReport(
        windows, degradation(series, directions or {}) + facts, any(known) if known else None
    )


def _calibrations(log: PredictionLog, given: PredictionLog | None) -> dict[str, Calibration | None]:
    """Version -> its calibration: what makes one version's scores honest says nothing about the next one's."""
    versions = [""] if log.versions is None else np.unique(log.versions).tolist()
    if given is not None:
        return dict.fromkeys(versions, _calibration(given, np.arange(given.rows)))
    order = np.arange(log.rows) if log.seconds is None else np.argsort(log.seconds, kind="stable")
    order = order[log.labelled[order]]
    if log.versions is None:
        return {"": _calibration(log, order[:_CALIBRATION_ROWS])}
    return {
        version: _calibration(log, order[log.versions[order] == version][:_CALIBRATION_ROWS])
        for version in versions
    }


def _calibration(log: PredictionLog, rows: np.ndarray) -> Calibration | None:
    if log.scores is None or log.labels is None or log.labels.dtype.kind == "O":
        return None
    usable = rows[(log.labelled & np.isfinite(log.scores))[rows]]
    return calibrate(log.labels[usable], log.scores[usable]) if is_binary(log.labels[usable]) else None


def _version(log: PredictionLog, rows: np.ndarray) -> str:
    """The version that answered most of ``rows``; '' where that is not logged."""
    if log.versions is None or not len(rows):
        return ""
    names, counts = np.unique(log.versions[rows], return_counts=True)
    return str(names[counts.argmax()])


def _measure(log: PredictionLog, part: Window, fitted: Calibration | None) -> WindowPerformance:
    rows = part.indices
    labelled = rows[log.labelled[rows]]
    answered = log.answers(labelled, MIN_LABELLED)
    metrics: dict[str, Metric] = {}
    if len(answered.rows) >= MIN_LABELLED and log.labels is not None:
        truth = log.labels[answered.rows]
        found = measure(truth, answered.predictions, answered.scores)
        few = _of_few(truth, answered.predictions)
        metrics = {name: metric for name, metric in found.items() if name not in few}
    return WindowPerformance(
        part.start, part.end, part.name, len(rows), len(labelled), metrics, _estimated(log, rows, fitted)
    )


def _of_few(labels: np.ndarray, predictions: np.ndarray | None) -> frozenset[str]:
    """Metrics that rest on too few rows of a class, however many rows there are in all.

    They would tell about single people, and their large-sample intervals are far too narrow: three positives
    among thirteen rows can look like a certain collapse of the AUROC.
    """
    positives = int((labels == 1).sum())
    rests_on = {
        "sensitivity": positives,
        "f1": positives,
        "specificity": len(labels) - positives,
        "auroc": min(positives, len(labels) - positives),
        "precision": MIN_LABELLED if predictions is None else int((predictions == 1).sum()),
    }
    return frozenset(name for name, rows in rests_on.items() if rows < MIN_LABELLED)


def _estimated(log: PredictionLog, rows: np.ndarray, fitted: Calibration | None) -> dict[str, Metric]:
    if fitted is None or log.scores is None:
        return {}
    answered = log.answers(rows, MIN_LABELLED)
    if len(answered.rows) < MIN_LABELLED or answered.scores is None:
        return {}
    return estimate(answered.scores, answered.predictions, fitted)


def performance_json(report: PerformanceReport) -> dict[str, Any]:
    """The report as the command line prints it (see the published schema of ``performance check``)."""
    return {
        "windows": [
            {
                "start": part.start.isoformat() if part.start else None,
                "end": part.end.isoformat() if part.end else None,
                "name": part.name,
                "n": n,
                "labelled": labelled,
                "metrics": _plain(part.metrics),
                "estimated": _plain(part.estimated),
            }
            for part, (n, labelled) in zip(report.windows, report.told_counts, strict=True)
        ],
        "alerts": [
            {
                "type": alert.type,
                "severity": alert.severity.value,
                "message": alert.message,
                "window": alert.window,
                "metric": alert.metric,
            }
            for alert in report.alerts
        ],
        "calibrated": report.calibrated,
    }


def _plain(metrics: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
    return {
        name: {"value": metric.value, "low": metric.low, "high": metric.high}
        for name, metric in metrics.items()
    }
