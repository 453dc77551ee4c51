"""``python -m core runs``: search, show and export the runs of the tracking store."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.experiments.told import told_run, told_table

if TYPE_CHECKING:
    from core.experiments.runs import Runs
    from core.experiments.types import Run, RunTable

app = typer.Typer(help="Search, show and export runs.", no_args_is_help=True)

METRICS_IN_TABLE = 6

TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", help="Read this MLflow store instead of the workspace's; needs no workspace."
    ),
]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", help="Name or id of an experiment; default: all.")
]
FilterOption = Annotated[
    str, typer.Option("--filter", help="An MLflow filter; OR, NOT, parentheses and more work too.")
]
OrderOption = Annotated[
    str, typer.Option("--order-by", help="Such as 'metrics.auroc DESC, start_time'; default: newest first.")
]
MaxOption = Annotated[int | None, typer.Option("--max", min=0, help="At most so many runs; default: all.")]


class Format(StrEnum):
    """What ``runs export`` writes."""

    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


@app.command()
def search(
    tracking_uri: TrackingOption = None,
    experiment: ExperimentOption = None,
    filter: FilterOption = "",
    order_by: OrderOption = "",
    max_runs: MaxOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find runs; "total" counts all that match, also beyond --max.

    Filters: metrics.x > 0.9, params.x = 'a', tags.x LIKE 'a%', status, name, user, run_id IN ('a', 'b'),
    duration > 5m, start_time > 7d ago, dataset.digest = 'd', git_commit = '1a2b3c4', IS NULL, max(metrics.x),
    joined by AND, OR, NOT and parentheses. Deleted runs are left out.

    Example: python -m core runs search --filter "metrics.auroc > 0.9 AND start_time > 7d ago" --output json
    """
    found = told_table(_runs(tracking_uri, workspace).search(experiment, filter, order_by, max_runs))
    if output is Output.JSON:
        print_json(search_payload(found))
        return
    columns, rows = _short_table(found)
    print_table(columns, rows, output)
    log(f"{len(found):,} of {found.total:,} runs, read {found.source} at {found.as_of:%Y-%m-%d %H:%M:%S} UTC")


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")],
    tracking_uri: TrackingOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one run: metrics, params, tags, data sets and where its artifacts are.

    Example: python -m core runs show 3f2a9c0d1e5b4f6a8b7c9d0e1f2a3b4c --output json
    """
    run = told_run(_runs(tracking_uri, workspace).run(run_id))
    if output is Output.JSON:
        print_json({"run": run_payload(run) | _more(run)})
        return
    groups = {"metric": run.metrics, "param": run.params, "tag": run.tags}
    rows: list[Sequence[object]] = [("run", key, value) for key, value in _facts(run).items()]
    rows += [(kind, key, values[key]) for kind, values in groups.items() for key in sorted(values)]
    rows += [("data set", item.name, f"{item.digest} {item.context}".strip()) for item in run.datasets]
    print_table(("what", "key", "value"), rows, output)


@app.command()
def export(
    tracking_uri: TrackingOption = None,
    experiment: ExperimentOption = None,
    filter: FilterOption = "",
    order_by: OrderOption = "",
    max_runs: MaxOption = None,
    format: Annotated[Format, typer.Option("--format", help="csv, markdown or latex.")] = Format.CSV,
    workspace: WorkspaceOption = HERE,
) -> None:
    """Write the matching runs as one wide table, every metric, param and tag a column, to stdout.

    Example: python -m core runs export --experiment diagnosis --format csv > runs.csv
    """
    from core.compare.export import to_csv, to_latex, to_markdown

    found = told_table(_runs(tracking_uri, workspace).search(experiment, filter, order_by, max_runs))
    names, rows = wide_table(found)
    write = {Format.CSV: to_csv, Format.MARKDOWN: to_markdown, Format.LATEX: to_latex}[format]
    typer.echo(write(names, rows), nl=False)


def search_payload(found: RunTable) -> dict[str, Any]:
    """The documented JSON of a search."""
    return {
        "total": found.total,
        "runs": [run_payload(run) for run in found.runs()],
        "source": found.source,
        "as_of": found.as_of.isoformat(),
    }


def run_payload(run: Run) -> dict[str, Any]:
    """The documented JSON of one run."""
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "start_time": run.start_time.isoformat() if run.start_time else None,
        "duration_s": run.duration_s,
        "metrics": dict(run.metrics),
        "params": dict(run.params),
        "tags": dict(run.tags),
    }


def wide_table(found: RunTable) -> tuple[list[str], list[list[object]]]:
    """Column names and rows of everything a table of runs holds."""
    kinds = {"": found.attributes, "metrics.": found.metrics, "params.": found.params, "tags.": found.tags}
    names = [prefix + name for prefix, table in kinds.items() for name in table.column_names]
    columns = [column.to_pylist() for table in kinds.values() for column in table.columns]
    return names, [list(row) for row in zip(*columns, strict=True)]


def _runs(tracking_uri: str | None, workspace: Path) -> Runs:
    from core.experiments.runs import open_tracking
    from core.settings import Settings
    from core.workspace import open_workspace

    if tracking_uri is None:
        return open_workspace(workspace).runs
    here = Path.cwd()
    return open_tracking(Settings.model_construct(root=here).database_url(tracking_uri), here)


def _short_table(found: RunTable) -> tuple[list[str], list[list[object]]]:
    common = sorted(found.metrics.column_names, key=lambda name: found.metrics[name].null_count)
    metrics = common[:METRICS_IN_TABLE]
    columns = ["run_id", "name", "experiment", "status", "start_time", "duration_s", *metrics]
    rows = [
        [
            *(run.run_id, run.name, run.experiment, run.status),
            f"{run.start_time:%Y-%m-%d %H:%M}" if run.start_time else None,
            run.duration_s,
            *(run.metrics.get(name) for name in metrics),
        ]
        for run in found.runs()
    ]
    return columns, rows


def _facts(run: Run) -> dict[str, object]:
    facts = run_payload(run)
    for key in ("metrics", "params", "tags"):
        facts.pop(key)
    return facts | {key: value for key, value in _more(run).items() if key != "datasets"}


def _more(run: Run) -> dict[str, Any]:
    return {
        "experiment_id": run.experiment_id,
        "end_time": run.end_time.isoformat() if run.end_time else None,
        "user": run.user,
        "lifecycle_stage": run.lifecycle_stage,
        "artifact_uri": run.artifact_uri,
        "git_commit": run.git_commit,
        "data_hash": run.data_hash,
        "parent_run_id": run.parent_run_id,
        "datasets": [
            {"name": item.name, "digest": item.digest, "context": item.context} for item in run.datasets
        ],
    }
