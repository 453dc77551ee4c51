"""Entry point: builds the command tree and turns core's errors into sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import typer

from core.cli import (
    alerts,
    approvals,
    audit,
    ci,
    deadlines,
    demo,
    deployd,
    deputies,
    drift,
    evidence,
    freeze,
    lineage,
    notify,
    performance,
    pipeline,
    policy,
    registry,
    runs,
    trial,
    views,
)
from core.cli.at_work import shown_at_work
from core.cli.compare import compare
from core.cli.data import check_quality, validate_data
from core.cli.deploy import deploy, drill, rollback
from core.cli.find import find, register
from core.cli.gate import gate
from core.cli.monitor import monitor
from core.cli.report import incident, report, weekly
from core.cli.status import as_of, history, reconcile, status
from core.errors import ExitCode, ModelDeskError

TRACEBACK = "MODELDESK_TRACEBACK"

app = typer.Typer(
    name="modeldesk",
    help="The release desk for teams on MLflow and DVC: see every run, decide, ship, watch, take back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(ci.app, name="ci")
app.add_typer(demo.app, name="demo")
app.add_typer(deployd.app, name="deployd")
app.add_typer(drift.app, name="drift")
app.add_typer(performance.app, name="performance")
app.command()(monitor)
app.add_typer(alerts.app, name="alert")
app.add_typer(lineage.app, name="lineage")
app.add_typer(notify.app, name="notify")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(runs.app, name="runs")
app.add_typer(views.app, name="views")
app.command()(compare)
app.command()(validate_data)
app.command()(check_quality)
app.command()(deploy)
app.command()(rollback)
app.command()(drill)
app.add_typer(trial.app, name="trial")
app.command()(find)
app.command()(register)
app.command()(registry.promote)
app.add_typer(registry.app, name="registry")
app.command()(approvals.request_approval)
app.command()(approvals.approve)
approvals.app.command()(deadlines.expire)
approvals.app.command()(deadlines.remind)
app.add_typer(approvals.app, name="approval")
app.add_typer(deputies.deputy, name="deputy")
app.add_typer(deputies.review, name="review")
app.add_typer(policy.app, name="policy")
app.command()(gate)
app.command()(report)
app.command()(weekly)
app.command()(incident)
app.command()(status)
app.command()(history)
app.command("as-of")(as_of)
app.command()(reconcile)
app.add_typer(freeze.app, name="freeze")
app.add_typer(audit.app, name="audit")
app.add_typer(evidence.app, name="evidence")
app.command()(evidence.card)


def main() -> None:
    """Run the command line; every expected failure ends with its documented exit code."""
    try:
        with shown_at_work():
            app()
    except ModelDeskError as error:
        print(f"error: {error.what}", file=sys.stderr)
        if error.way_out:
            print(f"       {error.way_out}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader closed the pipe (`| head`): silence the flush at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.INFRASTRUCTURE)
    except Exception as error:  # noqa: BLE001 -- whatever it is, a job's log must tell no data
        _say_unexpected(error)
        sys.exit(ExitCode.INFRASTRUCTURE)


def _say_unexpected(error: Exception) -> None:
    """What happened and where, without the error's own message: it may quote a row of data."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
        return
    if isinstance(error, OSError) and error.strerror:
        named = f" ({error.filename})" if error.filename else ""
        print(f"error: The system said: {error.strerror}{named}.", file=sys.stderr)
        return
    at = traceback.extract_tb(error.__traceback__)[-1]
    print(
        f"error: Unexpected {type(error).__name__} at {Path(at.filename).name}, line {at.lineno}.",
        file=sys.stderr,
    )
    print(
        f"       Please report it; {TRACEBACK}=1 shows the whole trace, which may quote data.",
        file=sys.stderr,
    )
