"""``monitor``: look at every watched model once, for cron or a CI job."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, print_json, print_table
from core.errors import ExitCode


def monitor(
    model: Annotated[
        str | None, typer.Argument(help="Only this model; else every [[monitors]] section.")
    ] = None,
    window: Annotated[str, typer.Option(help="day, week, or a number of rows.")] = "day",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check drift and performance of the watched models.

    Exit code: 0 all OK, 3 drift or degraded, 4 inconclusive, 2 a model that no monitor watches.

    Example: python -m core monitor --workspace .demo --output json
    """
    from datetime import UTC, datetime

    from core.drift.monitor import Status, findings, monitor_report, monitored
    from core.errors import NotFound
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    names = list(monitored(ws)) if model is None else [model]
    if model is not None and model not in monitored(ws):
        raise NotFound(f"No monitor watches '{model}'.", "Add a [[monitors]] section to modeldesk.toml.")
    reports = [monitor_report(ws, name, window, datetime.now(UTC)) for name in names]
    found = [(report, alert) for report in reports for alert in findings(report)]
    if output is Output.JSON:
        print_json(
            {
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
                "findings": [
                    {
                        "model": report.model,
                        "environment": report.environment,
                        "type": alert.type,
                        "severity": alert.severity.value,
                        "message": alert.message,
                        "window": alert.window,
                    }
                    for report, alert in found
                ],
            }
        )
    else:
        rows = [(r.model, r.environment, r.status.value, r.window, r.reason) for r in reports]
        print_table(("model", "environment", "status", "window", "why"), rows, output)
    statuses = {report.status for report in reports}
    if statuses & {Status.DEGRADED, Status.DRIFT}:
        raise typer.Exit(ExitCode.CHECK_FAILED)
    if Status.INCONCLUSIVE in statuses:
        raise typer.Exit(ExitCode.INCONCLUSIVE)
