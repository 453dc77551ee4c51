"""``report``, ``weekly`` and ``incident``: documents for people who were not there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    EnvironmentOption,
    ModelArgument,
    WorkspaceOption,
    log,
    moment,
    print_json,
    write_file,
)
from core.errors import BadInput
from core.reports.types import Format

if TYPE_CHECKING:
    from core.reports.types import Report

FormatOption = Annotated[Format, typer.Option("--format", help="md, html or json.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write there instead of stdout; the ending tells the format.")
]


def report(
    run: Annotated[str | None, typer.Option("--run", help="The candidate run's id.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="The candidate version, MODEL/V.")] = None,
    against: Annotated[
        str, typer.Option("--against", help="champion, or a reference such as alias:MODEL@NAME.")
    ] = "champion",
    model: Annotated[str | None, typer.Option("--model", help="The model that the run is for.")] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Policy file; default: the workspace's.")
    ] = None,
    format: FormatOption = Format.MARKDOWN,
    out: OutOption = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """A candidate for a pull request: gates, differences from the champion, data checks.

    Markdown begins with a hidden marker, by which `ci comment` replaces its own comment. HTML is one file.

    Example: python -m core report --version diagnosis-risk/9 --format html --out report.html
    """
    from core.reports.candidate import candidate_report
    from core.workspace import open_workspace

    _write(candidate_report(open_workspace(workspace), run, version, against, model, policy), format, out)


def weekly(
    until: Annotated[
        str | None, typer.Option("--until", help="The last day (or a time); default: now.")
    ] = None,
    format: FormatOption = Format.MARKDOWN,
    out: OutOption = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """A week for leads: what is live, what was decided, what waits, what alarmed.

    Example: python -m core weekly --format html --out weekly.html
    """
    from datetime import UTC, datetime

    from core.access import local_actor
    from core.reports.weekly import weekly_report
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    made = weekly_report(ws, local_actor(ws.settings), datetime.now(UTC), moment(until) if until else None)
    _write(made, format, out)


def incident(
    model: ModelArgument,
    environment: EnvironmentOption = "production",
    since: Annotated[
        str | None, typer.Option("--since", help="From this time; default: a day before the last rollback.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="To this time; default: a day after it, or now.")
    ] = None,
    format: FormatOption = Format.MARKDOWN,
    out: OutOption = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """The timeline of an incident: alerts, rollback, freezes, reviews, and how long it took.

    Example: python -m core incident diagnosis-risk --since 2026-01-01 --format md
    """
    from datetime import UTC, datetime

    from core.reports.incident import incident_report
    from core.workspace import open_workspace

    made = incident_report(
        open_workspace(workspace),
        model,
        datetime.now(UTC),
        environment=environment,
        since=moment(since, end_of_day=False) if since else None,
        until=moment(until) if until else None,
    )
    _write(made, format, out)


def _write(made: Report, format: Format, out: Path | None) -> None:
    if out is not None:
        endings = {f".{one.value}": one for one in Format}
        if out.suffix not in endings:
            raise BadInput(f"'{out}' ends in no known format.", "Use .md, .html or .json.")
        format = endings[out.suffix]
    if format is Format.JSON:
        print_json(dict(made.facts), out)
    elif out is None:
        sys.stdout.write((made.html() if format is Format.HTML else made.markdown()) + "\n")
    else:
        write_file(out, made.html() if format is Format.HTML else made.markdown())
    log(f"written: {out}" if out else made.lead)
