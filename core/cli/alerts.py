"""``alert``: what the monitor found and nobody has closed; take it on, put it off, close it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
    rehearsable,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.access import Actor
    from core.ledger.state import OpenAlert
    from core.ledger.types import Record
    from core.workspace import Workspace

app = typer.Typer(help="What the monitor found: take it on, put it off, close it.", no_args_is_help=True)

AlertArgument = Annotated[str, typer.Argument(help="The alert's id, from `alert list`.")]


@app.command("list")
def list_command(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every alert that is not over, the most severe first.

    Example: python -m core alert list --workspace .demo --output json
    """
    from core.drift.alerts import open_alerts
    from core.workspace import open_workspace

    rows = [as_dict(found) for found in open_alerts(open_workspace(workspace), model)]
    if output is Output.JSON:
        print_json({"alerts": rows})
        return
    shown = ("alert_id", "model", "environment", "severity", "owner", "since", "summary")
    print_table(shown, [[row[name] or None for name in shown] for row in rows], output)


@app.command("acknowledge")
@rehearsable
def acknowledge_command(
    alert_id: AlertArgument,
    owner: Annotated[str, typer.Option("--owner", help="Who takes it on; you, if nobody is named.")] = "",
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take an alert on, or give it to somebody.

    Example: python -m core alert acknowledge 3f2a91bc07 --owner "Ana Lima"
    """
    from core.drift import alerts

    _act(workspace, output, lambda ws, me: alerts.acknowledge(ws, alert_id, me, owner, reason))


@app.command("snooze")
@rehearsable
def snooze_command(
    alert_id: AlertArgument,
    hours: Annotated[float, typer.Option("--hours", min=0.1, help="For how long.")] = 24,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Remind nobody of an alert for some hours.

    Example: python -m core alert snooze 3f2a91bc07 --hours 8 --reason "labels come tonight"
    """
    from core.drift import alerts

    now = datetime.now(UTC)
    until = now + timedelta(hours=hours)
    _act(workspace, output, lambda ws, me: alerts.snooze(ws, alert_id, me, until, now, reason))


@app.command("reopen")
@rehearsable
def reopen_command(
    alert_id: AlertArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let an acknowledged or snoozed alert wait for somebody again.

    Example: python -m core alert reopen 3f2a91bc07
    """
    from core.drift import alerts

    _act(workspace, output, lambda ws, me: alerts.reopen(ws, alert_id, me, reason))


@app.command("resolve")
@rehearsable
def resolve_command(
    alert_id: AlertArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Close an alert by hand; it comes back when a later window shows the same.

    Example: python -m core alert resolve 3f2a91bc07 --reason "the laboratory changed its units back"
    """
    from core.drift import alerts

    _act(workspace, output, lambda ws, me: alerts.resolve(ws, alert_id, me, reason))


@app.command("request-retraining")
@rehearsable
def request_retraining_command(
    alert_id: AlertArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask that the model be trained anew because of an alert; it ends with the alert.

    Example: python -m core alert request-retraining 3f2a91bc07 --reason "train on the last two months"
    """
    from core.drift import alerts

    _act(workspace, output, lambda ws, me: alerts.request_retraining(ws, alert_id, me, reason))


def as_dict(found: OpenAlert) -> dict[str, object]:
    """An alert as the command line prints it."""
    event, until = found.event, found.snoozed_until
    return {
        "alert_id": event.alert_id,
        "model": event.model,
        "environment": event.environment,
        "finding": event.finding,
        "severity": event.severity,
        "summary": event.summary,
        "window": event.window,
        "since": found.since.isoformat(timespec="seconds"),
        "owner": found.owner,
        "snoozed_until": until.isoformat(timespec="seconds") if until else None,
        "retraining_requested": found.retraining is not None,
    }


def _act(workspace: Path, output: Output, act: Callable[[Workspace, Actor], Record]) -> None:
    from core.access import local_actor
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = act(ws, local_actor(ws.settings))
    facts = {"alert_id": record.payload["alert_id"], "event": record.kind, "seq": record.seq}
    print_facts(facts, output)
    log(f"{record.kind.replace('_', ' ')}: recorded as event {record.seq}.")
