"""Freeze windows bind deployments at the times they name, and no other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from core.errors import Refused
from core.registry.gatekeeper import check_no_window, in_window
from core.settings import FreezeWindowSection

FRIDAY = datetime(2026, 11, 27, tzinfo=UTC)


def window(**values: object) -> FreezeWindowSection:
    return FreezeWindowSection(name="weekend", **values)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (FRIDAY + timedelta(hours=21, minutes=59), False),
        (FRIDAY + timedelta(hours=22), True),
        (FRIDAY + timedelta(days=1, hours=5, minutes=59), True),
        (FRIDAY + timedelta(days=1, hours=6), False),
        (FRIDAY + timedelta(days=1, hours=22), False),
        (FRIDAY + timedelta(hours=3), False),
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(at: datetime, inside: bool) -> None:
    assert in_window(window(days=("fri",), hours="22:00-06:00"), at) is inside


def test_dates_limit_it_and_clocks_elsewhere_do_not_matter() -> None:
    freeze = window(first=date(2026, 12, 24), last=date(2026, 12, 26))
    assert not in_window(freeze, datetime(2026, 12, 23, 23, 59, tzinfo=UTC))
    assert in_window(freeze, datetime(2026, 12, 26, 23, 59, tzinfo=UTC))
    tokyo = timezone(timedelta(hours=9))
    assert not in_window(freeze, datetime(2026, 12, 24, 8, 59, tzinfo=tokyo))


def test_it_binds_the_models_and_environments_it_names() -> None:
    windows = (window(models="diagnosis-*"),)
    with pytest.raises(Refused, match="window 'weekend'") as refused:
        check_no_window(windows, "diagnosis-risk", "production", FRIDAY)
    assert refused.value.exit_code == 6
    check_no_window(windows, "diagnosis-risk", "staging", FRIDAY)
    check_no_window(windows, "biopsy-triage", "production", FRIDAY)
