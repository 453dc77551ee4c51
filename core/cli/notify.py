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
from core.errors import BadSettings, ExitCode, ModelDeskError

app = typer.Typer(help="Messages about decisions: send what is due, see what arrived.", no_args_is_help=True)


@app.command()
def deliver(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Send what is due; failures are tried again by later calls (run it from cron).

    Example: python -m core notify deliver --workspace .demo
    """
    from core.workspace import open_workspace

    outbox = open_workspace(workspace).outbox
    now = datetime.now(UTC)
    if dry_run:
        _print(outbox.due(now), output)
        log("Dry run: nothing was sent; messages about the newest events are made when it is.")
        return
    outbox.fill(now)
    attempted = outbox.deliver(now)
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
    from core.notify.channels import send
    from core.workspace import open_workspace

    settings = open_workspace(workspace).settings.notify
    if not settings.channels:
        raise BadSettings(
            "No channel is configured.", "Add [[notify.channels]] to modeldesk.toml (see the README)."
        )
    if dry_run:
        print_channels([(channel.name, None, "") for channel in settings.channels], output)
        log("Dry run: nothing was sent.")
        return
    outcomes = []
    for channel in settings.channels:
        message = {
            "id": "test",
            "kind": "test",
            "model": "",
            "title": "Model Desk: test message",
            "body": "If you can read this, this channel works.",
            "link": settings.base_url,
        }
        try:
            send(channel, message)
            outcomes.append((channel.name, True, ""))
        except ModelDeskError as error:
            log(f"{channel.name}: {error.what} {error.way_out}".strip())
            outcomes.append((channel.name, False, error.what))
    print_channels(outcomes, output)
    if not all(ok for _, ok, _ in outcomes):
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def print_channels(outcomes: list[tuple[str, bool | None, str]], output: Output) -> None:
    """What each channel answered; None where it was not asked."""
    if output is Output.JSON:
        print_json({"channels": [{"name": name, "ok": ok, "error": text} for name, ok, text in outcomes]})
    else:
        print_table(("channel", "arrived", "error"), outcomes, output)


def _print(deliveries: tuple, output: Output) -> None:
    columns = ("id", "channel", "state", "attempts", "title", "created_at", "sent_at", "error")
    rows = [[getattr(item, name) for name in columns] for item in deliveries]
    if output is Output.JSON:
        print_json({"deliveries": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(columns, rows, output)
