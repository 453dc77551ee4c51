"""A degraded model goes back by itself only where the policy says so, and only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.deploy.automatic import roll_back_for
from core.drift import alerts
from core.drift.degradation import Alert
from core.drift.monitor import MonitorReport, Status
from core.drift.policy import load_policy
from core.drift.types import Severity
from core.errors import ModelDeskError
from tests.contract.registry_desk import OPAL, DeskSetup, new_desk


@pytest.fixture
def desk(tmp_path: Path) -> DeskSetup:
    desk = new_desk(tmp_path)
    desk.promote(1)
    desk.promote(2)
    return desk


def degraded(desk: DeskSetup, severity: Severity) -> alerts.Recorded:
    fell = (Alert("performance_drop", severity, "auroc fell", "2026-01-06", "auroc"),)
    report = MonitorReport(
        model="risk", environment="production", status=Status.DEGRADED, reason="auroc fell", down=fell
    )
    return alerts.record_findings(desk.ws, [report], OPAL)


def test_never_without_the_policy_and_never_for_less(desk):
    raised = degraded(desk, Severity.HIGH).raised
    assert roll_back_for(desk.ws, raised, None, OPAL) == ()
    assert roll_back_for(desk.ws, raised, Severity.CRITICAL, OPAL) == ()
    assert desk.champion() == 2


def test_once_from_the_severity_that_the_policy_names(desk, tmp_path):
    (tmp_path / "drift-policy.toml").write_text('rollback_at = "critical"', encoding="utf-8")
    at = load_policy(str(tmp_path / "drift-policy.toml")).rollback_at
    raised = degraded(desk, Severity.CRITICAL).raised
    (done,) = roll_back_for(desk.ws, raised, at, OPAL)
    assert (done.from_version, done.to_version, desk.champion()) == (2, 1, 1)
    assert raised[0].event.alert_id in desk.ws.ledger.records(kinds=("rolled_back",))[0].reason
    roll_back_for(desk.ws, raised, at, OPAL)
    assert len(desk.ws.ledger.records(kinds=("rolled_back",))) == 1
    assert alerts.open_alerts(desk.ws), "the alert stays until it is over"


def test_with_nowhere_to_go_the_reason_is_given_back(tmp_path):
    desk = new_desk(tmp_path)
    desk.promote(1)
    (problem,) = roll_back_for(desk.ws, degraded(desk, Severity.CRITICAL).raised, Severity.HIGH, OPAL)
    assert isinstance(problem, ModelDeskError)
    assert desk.champion() == 1
