"""``performance check``: is the model still as good as it was?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import ExitCode

app = typer.Typer(help="Is the model still as good as it was, window by window?", no_args_is_help=True)


@app.callback()
def performance() -> None:
    """Is the model still as good as it was, window by window?"""


@app.command("check")
def check_command(
    predictions: Annotated[Path, typer.Option(help="Prediction log: Parquet or CSV, a file or a folder.")],
    labels: Annotated[Path | None, typer.Option(help="Late labels, joined by request id.")] = None,
    window: Annotated[str, typer.Option(help="day, week, or a number of rows.")] = "day",
    reference: Annotated[
        Path | None, typer.Option(help="Labelled predictions to calibrate the scores on.")
    ] = None,
    request_id: Annotated[str, typer.Option(help="Column of the request id.")] = "request_id",
    timestamp: Annotated[str, typer.Option(help="Column of the time.")] = "timestamp",
    prediction: Annotated[str, typer.Option(help="Column of the predicted class.")] = "prediction",
    score: Annotated[str, typer.Option(help="Column of the score.")] = "score",
    label: Annotated[str, typer.Option(help="Column of the label.")] = "label",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Metrics with 95 % intervals by window, estimates where labels are late, and alerts.

    Exit code: 0 no alert, 3 degraded, 4 nothing could be measured, 2 bad input.

    Example: python -m core performance check --predictions log/ --labels labels/ --window week
    """
    from datetime import UTC, datetime

    from core.drift.performance import performance, performance_json
    from core.drift.prediction_log import LogColumns

    report = performance(
        predictions,
        labels,
        window=window,
        columns=LogColumns(request_id, timestamp, prediction, score, label),
        calibration=reference,
        now=datetime.now(UTC),
    )
    if output is Output.JSON:
        print_json(performance_json(report))
    else:
        names = sorted({name for part in report.windows for name in part.metrics})
        rows = [
            (
                part.name,
                n,
                labelled,
                *(part.metrics[name].value if name in part.metrics else None for name in names),
            )
            for part, (n, labelled) in zip(report.windows, report.told_counts, strict=True)
        ]
        print_table(("window", "n", "labelled", *names), rows, output)
        for alert in report.alerts:
            log(f"{alert.severity.value}: {alert.window or ''} {alert.message}")
    if report.degraded:
        raise typer.Exit(ExitCode.CHECK_FAILED)
    if not report.measured:
        raise typer.Exit(ExitCode.INCONCLUSIVE)
