"""``notify``: who is told of what, and whether it arrived."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_json,
    print_table,
)
from core.errors import ExitCode

app = typer.Typer(help="Messages about decisions: send what is due, see what arrived.", no_args_is_help=True)


@app.command()
def deliver(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Send what is due; failures are tried again by later calls (run it from cron).

    Example: python -m core notify deliver --workspace .demo
    """
    from core.access import local_actor
    from core.notify.trial import deliver as deliver_due
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    if dry_run:
        _print(ws.outbox.due(datetime.now(UTC)), output)
        log("Dry run: nothing was sent; messages about the newest events are made when it is.")
        return
    attempted = deliver_due(ws, local_actor(ws.settings))
    _print(attempted, output)
    if any(item.state != "sent" for item in attempted):
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


@app.command()
def history(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """The newest deliveries: sent, waiting for another try, given up, or duplicate.

    Example: python -m core notify history --workspace .demo
    """
    from core.workspace import open_workspace

    _print(open_workspace(workspace).outbox.history(), output)


@app.command()
def test(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Send a test message to every channel now, and say what each answered.

    Example: python -m core notify test --workspace .demo
    """
    from core.access import local_actor
    from core.notify.trial import trial
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    found = trial(ws, local_actor(ws.settings), dry_run=dry_run)
    if output is Output.JSON:
        channels = [{"name": one.channel, "ok": one.arrived, "error": one.error} for one in found]
        print_json({"channels": channels})
    else:
        rows = [(one.channel, one.arrived, one.error) for one in found]
        print_table(("channel", "arrived", "error"), rows, output)
    if dry_run:
        log("Dry run: nothing was sent.")
    elif not all(one.arrived for one in found):
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def _print(deliveries: tuple, output: Output) -> None:
    columns = ("id", "channel", "state", "attempts", "title", "created_at", "sent_at", "error")
    rows = [[getattr(item, name) for name in columns] for item in deliveries]
    if output is Output.JSON:
        print_json({"deliveries": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(columns, rows, output)
