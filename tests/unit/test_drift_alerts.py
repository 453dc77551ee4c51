"""Alerts: one per finding until it is over, told again when worse, taken on, put off, closed by people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.access import Actor
from core.attention import overview
from core.cli.alerts import app as alert_app
from core.drift import alerts
from core.drift.degradation import Alert
from core.drift.monitor import MonitorReport, Status, monitor_report
from core.drift.types import Severity
from core.errors import BadInput, NotFound, Refused
from core.notify.notices import notice_of
from core.workspace import Workspace, open_workspace
from tests.watched_workspace import build

ME = Actor("me", "Me")
NOW = datetime(2026, 1, 7, tzinfo=UTC)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    build(tmp_path, moved=0)
    return open_workspace(tmp_path)


def report(status: Status, severity: Severity | None = None, window: str = "2026-01-06") -> MonitorReport:
    fell = () if severity is None else (Alert("performance_drop", severity, "it fell", window, "auroc"),)
    return MonitorReport(
        model="risk", environment="production", status=status, reason="because", window=window, down=fell
    )


def down(severity: Severity, window: str = "2026-01-06") -> MonitorReport:
    return report(Status.DEGRADED, severity, window)


def test_a_finding_is_one_alert_however_often_it_is_seen(ws):
    first = alerts.record_findings(ws, [down(Severity.WARNING)], ME)
    again = alerts.record_findings(ws, [down(Severity.WARNING, "2026-01-07")], ME)
    assert [a.event.finding for a in first.raised] == ["degraded"]
    assert (again.raised, again.worsened, again.resolved) == ((), (), ())
    assert len(ws.ledger.records()) == 1


def test_worse_is_told_again_and_over_is_over(ws):
    (raised,) = alerts.record_findings(ws, [down(Severity.WARNING)], ME).raised
    (worse,) = alerts.record_findings(ws, [down(Severity.CRITICAL)], ME).worsened
    assert worse.event.alert_id == raised.event.alert_id
    assert (worse.event.severity, worse.since) == ("critical", raised.since)
    unknown = alerts.record_findings(ws, [report(Status.INCONCLUSIVE)], ME)
    assert [a.event.finding for a in unknown.raised] == ["inconclusive"]
    assert not unknown.resolved, "what cannot be seen is not over"
    over = alerts.record_findings(ws, [report(Status.OK)], ME)
    assert len(over.resolved) == 2
    assert alerts.open_alerts(ws) == ()


def test_what_ended_by_itself_may_come_back_and_what_was_closed_by_hand_waits_for_news(ws):
    for _ in range(2):
        assert alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised
        assert alerts.record_findings(ws, [report(Status.OK)], ME).resolved
    (known,) = alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised
    alerts.resolve(ws, known.event.alert_id, ME, "a holiday")
    assert not alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised
    assert alerts.record_findings(ws, [down(Severity.HIGH, "2026-01-09")], ME).raised


def test_taking_on_putting_off_and_their_reverse(ws):
    (known,) = alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised
    alert_id = known.event.alert_id

    def waiting() -> list[str]:
        return [item.query["alert"] for item in overview(ws, ME, NOW).items if "alert" in item.query]

    assert waiting() == [alert_id]
    first, second = (alerts.acknowledge(ws, alert_id, ME, owner="Ana Lima") for _ in range(2))
    assert first.seq == second.seq, "a second click finds it taken"
    assert (waiting(), alerts.alert(ws, alert_id).owner) == ([], "Ana Lima")
    alerts.reopen(ws, alert_id, ME)
    assert waiting() == [alert_id]
    alerts.snooze(ws, alert_id, ME, NOW + timedelta(hours=1), NOW)
    assert waiting() == []
    assert alerts.alert(ws, alert_id).waits(NOW + timedelta(hours=2))
    alerts.request_retraining(ws, alert_id, ME, "newer patients")
    alerts.request_retraining(ws, alert_id, ME, "newer patients")
    assert alerts.alert(ws, alert_id).retraining.reason == "newer patients"
    assert len(ws.ledger.records(kinds=("retraining_requested",))) == 1


def test_what_is_refused(ws):
    (known,) = alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised
    alert_id, visitor = known.event.alert_id, Actor("visitor", source="demo", demo=True)
    for act in (
        lambda: alerts.acknowledge(ws, alert_id, visitor),
        lambda: alerts.resolve(ws, alert_id, visitor, "no"),
        lambda: alerts.request_retraining(ws, alert_id, visitor, "no"),
        lambda: alerts.record_findings(ws, [down(Severity.HIGH)], visitor),
    ):
        with pytest.raises(Refused):
            act()
    with pytest.raises(BadInput, match="reason"):
        alerts.resolve(ws, alert_id, ME, " ")
    with pytest.raises(BadInput, match="time to come"):
        alerts.snooze(ws, alert_id, ME, NOW, NOW)
    with pytest.raises(NotFound):
        alerts.acknowledge(ws, "nothing", ME)


def test_the_message_links_to_the_deploy_page_with_the_alert(ws):
    alerts.record_findings(ws, [down(Severity.CRITICAL)], ME)
    (record,) = ws.ledger.records()
    notice = notice_of(record, "https://desk.example/")
    assert notice.urgent
    assert notice.title == "risk in production: it fell"
    alert_id = record.payload["alert_id"]
    assert notice.link == f"https://desk.example/deploy?model=risk&environment=production&alert={alert_id}"


def test_the_commands(ws, tmp_path):
    (known,) = alerts.record_findings(ws, [down(Severity.HIGH)], ME).raised

    def run(*arguments: str) -> dict:
        done = CliRunner().invoke(alert_app, [*arguments, "--workspace", str(tmp_path), "--output", "json"])
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    alert_id = known.event.alert_id
    run("acknowledge", alert_id)
    run("reopen", alert_id)
    run("snooze", alert_id, "--hours", "2")
    run("request-retraining", alert_id, "--reason", "newer patients")
    (row,) = run("list")["alerts"]
    assert (row["severity"], row["retraining_requested"]) == ("high", True)
    assert row["snoozed_until"] is not None
    run("resolve", alert_id, "--reason", "done")
    assert run("list")["alerts"] == []


def test_real_drift_is_found_recorded_and_over(tmp_path):
    build(tmp_path, moved=1)
    ws = open_workspace(tmp_path)
    found = monitor_report(ws, "risk", now=NOW)
    (known,) = alerts.record_findings(ws, [found], ME).raised
    assert (known.event.finding, known.event.window) == ("drift", "2026-01-06")
    assert known.event.details == {"columns": ["age"]}
