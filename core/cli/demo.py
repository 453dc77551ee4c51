"""``demo``: a workspace to try everything on."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import Output, OutputOption, log, print_json, print_table

app = typer.Typer(help="A workspace to try everything on.", no_args_is_help=True)


@app.callback()
def _demo() -> None:
    """A workspace to try everything on."""


@app.command("create")
def create_command(
    directory: Annotated[Path, typer.Argument(help="Folder of the new workspace.", metavar="DIR")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Build the HealthTech demo: real runs, models, a DVC pipeline and six weeks of predictions.

    Takes two to four minutes; started again it goes on where it was, and does nothing when all is there.

    Example: python -m core demo create .demo
    """
    from core.demo import create as demo
    from core.demo.story import FULL

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
