"""``monitor``: look at every watched model once, for cron or a CI job, or again and again as a service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import ExitCode

if TYPE_CHECKING:
    from core.drift.alerts import Recorded
    from core.drift.monitor import MonitorReport
    from core.workspace import Workspace


def monitor(
    model: Annotated[
        str | None, typer.Argument(help="Only this model; else every [[monitors]] section.")
    ] = None,
    window: Annotated[str, typer.Option(help="day, week, or a number of rows.")] = "day",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look only: record no alert and tell nobody.")
    ] = False,
    every: Annotated[
        float | None, typer.Option("--every", min=1, help="Look again each so many minutes, until stopped.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check drift and performance of the watched models; record what is new, worse or over, and tell.

    Requests that wait for half and nine tenths of their time are reminded of, those past their date closed.

    Exit code: 0 all OK, 3 drift or degraded, 4 inconclusive, 2 a model that no monitor watches.

    Example: python -m core monitor --workspace .demo --output json
    """
    from core.drift.watched import ADD_MONITOR, monitor_of, monitored
    from core.errors import ModelDeskError
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    names = list(monitored(ws)) if model is None else [monitor_of(ws, model).model]
    if not names:
        log(f"No model is watched. {ADD_MONITOR}")
    while True:
        try:
            code = _once(ws, names, window, dry_run, output)
        except ModelDeskError as error:
            if every is None:
                raise
            log(f"error: {error.what} Looking again in {every:g} minutes.")
        if every is None:
            raise typer.Exit(code)
        time.sleep(60 * every)


def _once(ws: Workspace, names: list[str], window: str, dry_run: bool, output: Output) -> ExitCode:
    from datetime import UTC, datetime

    from core.access import local_actor
    from core.drift.alerts import record_findings
    from core.drift.monitor import Status, monitor_report

    now = datetime.now(UTC)
    reports = [monitor_report(ws, name, window, now, ask=True) for name in names]
    recorded = None if dry_run else record_findings(ws, reports, local_actor(ws.settings))
    _print(ws, reports, recorded, output)
    if recorded is not None:
        _act(ws, recorded)
        _remind(ws)
        _tell(ws, now)
    statuses = {report.status for report in reports}
    if statuses & {Status.DEGRADED, Status.DRIFT}:
        return ExitCode.CHECK_FAILED
    return ExitCode.INCONCLUSIVE if Status.INCONCLUSIVE in statuses else ExitCode.OK


def _act(ws: Workspace, recorded: Recorded) -> None:
    """Roll back where the drift policy says so; by default it never does."""
    from core.access import local_actor
    from core.deploy.automatic import roll_back_for
    from core.drift.watched import workspace_policy
    from core.errors import ModelDeskError

    alerts, at = (*recorded.raised, *recorded.worsened), workspace_policy(ws).rollback_at
    for done in roll_back_for(ws, alerts, at, local_actor(ws.settings)):
        log(f"not rolled back: {done.what}" if isinstance(done, ModelDeskError) else done.sentence)


def _remind(ws: Workspace) -> None:
    """Of requests that wait for long; what has expired is closed."""
    from core.registry.deadlines import record_expired, record_reminders

    for request_id in record_expired(ws):
        log(f"request {request_id} has expired")
    for request_id in record_reminders(ws):
        log(f"reminded of request {request_id}")


def _tell(ws: Workspace, now: object) -> None:
    """Send what channels wait for; a channel that does not answer is tried again by the next delivery."""
    if ws.settings.notify.channels:
        ws.outbox.fill(now)
        for delivery in ws.outbox.deliver(now):
            if delivery.error:
                log(f"not told yet: {delivery.channel}: {delivery.error}")


def _print(ws: Workspace, reports: list[MonitorReport], recorded: Recorded | None, output: Output) -> None:
    if output is not Output.JSON:
        rows = [(r.model, r.environment, r.status.value, r.window, r.reason) for r in reports]
        print_table(("model", "environment", "status", "window", "why"), rows, output)
        for known in (*recorded.raised, *recorded.worsened) if recorded else ():
            log(f"alert {known.event.alert_id} ({known.event.severity}): {known.event.summary}")
        for alert_id in recorded.resolved if recorded else ():
            log(f"alert {alert_id} is over")
        return
    document = {
        "checked": [
            {
                "model": report.model,
                "environment": report.environment,
                "status": report.status.value,
                "reason": report.reason,
                "window": report.window,
            }
            for report in reports
        ],
        "findings": [finding for report in reports for finding in _findings(ws, report)],
    }
    if recorded is not None:
        document["alerts"] = {
            "raised": [known.event.alert_id for known in recorded.raised],
            "worsened": [known.event.alert_id for known in recorded.worsened],
            "resolved": list(recorded.resolved),
        }
    print_json(document)


def _findings(ws: Workspace, report: MonitorReport) -> list[dict[str, object]]:
    from core.drift.monitor import findings

    known = {
        (a.event.model, a.event.environment, a.event.finding): a.event.alert_id
        for a in ws.ledger.state().alerts.values()
    }
    return [
        {
            "model": report.model,
            "environment": report.environment,
            "type": finding.name,
            "severity": finding.severity.value,
            "message": finding.message,
            "window": finding.window,
            "alert_id": known.get((report.model, report.environment, finding.name)),
        }
        for finding in findings(report)
    ]
