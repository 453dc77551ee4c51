"""``demo``: a workspace to try everything on."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    EnvironmentOption,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_lines,
    print_table,
)

app = typer.Typer(help="A workspace to try everything on.", no_args_is_help=True)


@app.callback()
def _demo() -> None:
    """A workspace to try everything on."""


@app.command("create")
def create_command(
    directory: Annotated[Path, typer.Argument(help="Folder of the new workspace.", metavar="DIR")],
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Build the HealthTech demo: real runs, models, a DVC pipeline and six weeks of predictions.

    Takes two to four minutes; started again it goes on where it was, and does nothing when all is there.

    Example: python -m core demo create .demo
    """
    from core.demo import create as demo
    from core.demo.story import FULL

    if dry_run:
        facts = {"workspace": str(directory.resolve()), "models": list(demo.MODELS), "dry_run": True}
        print_facts(facts, output)
        log("Dry run: nothing was built.")
        return
    with typer.progressbar(
        length=demo.steps(FULL), label="Building the demo", file=sys.stderr, show_pos=False
    ) as bar:
        try:
            built = demo.create(directory, now=datetime.now(UTC), advance=lambda part: bar.update(1))
        except KeyboardInterrupt:
            log(f"\nStopped. `python -m core demo create {directory}` goes on from here.")
            raise
        bar.finish()
    facts = {
        "workspace": str(built.workspace),
        "tracking_uri": built.tracking_uri,
        "dvc_project": str(built.dvc_project),
        "models": list(demo.MODELS),
        "seconds": built.seconds,
    }
    if output is Output.JSON:
        print_json(facts)
    else:
        rows = [
            (name, ", ".join(value) if isinstance(value, list) else value) for name, value in facts.items()
        ]
        print_table(("what", "value"), rows, output)


@app.command("traffic")
def traffic_command(
    model: Annotated[str, typer.Argument(help="The served model.")] = "diagnosis-risk",
    environment: EnvironmentOption = "production",
    seconds: Annotated[float, typer.Option("--seconds", help="How long; at most an hour.")] = 60,
    rate: Annotated[float, typer.Option("--rate", help="Requests per second.")] = 20,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Give in the outcomes of the rows afterwards.")
    ] = True,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send the demo's own rows to a served model at a steady rate, on loopback; it stops by itself.

    Example: python -m core demo traffic --seconds 60 --rate 20 --workspace .demo
    """
    from core.demo.traffic import replay
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    key = ws.deployments.key(model, environment)
    sent = replay(ws, key, seconds=seconds, per_s=rate, with_labels=labels)
    facts = {
        "endpoint": str(key),
        "sent": sum(sent.statuses.values()),
        "failed": sent.failed,
        "statuses": dict(sent.statuses),
        "versions": dict(sent.versions),
        "p50_ms": sent.quantile_ms(0.5),
        "p99_ms": sent.quantile_ms(0.99),
    }
    print_lines(facts, output)
