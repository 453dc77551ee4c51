"""The demo tells the same story whenever it is built: what the monitor says hangs on no hour and on no weekday."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from core.demo import serving_log, story
from core.drift.check import check
from core.drift.monitor import lasting
from core.drift.performance import performance
from core.drift.policy import DEFAULT
from core.drift.types import Severity, Verdict
from core.settings import load_settings

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
MOMENTS = [
    SUNDAY + timedelta(days=days, hours=hours) for days, hours in ((0, 9), (3, 0.5), (3, 7), (3, 23.5))
]


@pytest.mark.parametrize("now", MOMENTS, ids=lambda now: f"{now:%a %H:%M}")
def test_the_model_is_degraded_and_its_two_drifting_columns_are_named(demo_workspace: Path, now: datetime):
    log = serving_log._score(demo_workspace, story.FULL, now, serving_log._requests(story.FULL, now))
    labels = serving_log.known_labels(log, now)
    asked = log.drop(columns=["label", "observed_at"])
    directions = load_settings(demo_workspace).metric_directions

    measured = performance(asked, labels, directions=directions, now=now)
    down = lasting(measured, directions)
    assert {alert.metric for alert in down} >= {"auroc", "accuracy"}
    assert {alert.severity for alert in down} & {Severity.HIGH, Severity.CRITICAL}
    first, last = (measured.measured[at].metrics["auroc"].value for at in (0, -3))
    assert first > 0.84 and last < 0.75

    sizes = asked.groupby(asked["timestamp"].dt.date).size()
    day = sizes.index[sizes >= DEFAULT.min_rows][-1]
    train = pd.read_parquet(demo_workspace / "project" / "data" / "features" / "train.parquet")
    report = check(train.drop(columns="label"), asked[asked["timestamp"].dt.date == day])
    assert report.verdict is Verdict.DRIFT
    assert {story.DRIFTING_FEATURE, story.NEW_CATEGORY[0]} <= {column.name for column in report.alarms}


def test_labels_come_overnight():
    log = pd.DataFrame(
        {
            "request_id": ["late", "early", "today"],
            "label": [1, 0, 1],
            "observed_at": pd.to_datetime(
                ["2026-11-21 23:59", "2026-11-20 08:00", "2026-11-22 00:00"], utc=True
            ),
        }
    )
    for hour in (0, 23):
        assert list(serving_log.known_labels(log, SUNDAY + timedelta(hours=hour))["request_id"]) == [
            "early",
            "late",
        ]
