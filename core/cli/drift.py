"""``drift check``: has the data moved?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from core.drift.types import DriftReport

app = typer.Typer(help="Has the data moved, by how much, and what was not watched?", no_args_is_help=True)


@app.callback()
def drift() -> None:
    """Has the data moved, by how much, and what was not watched?"""


@app.command("check")
def check_command(
    reference: Annotated[Path, typer.Option(help="Parquet or CSV file (or folder) to compare with.")],
    current: Annotated[Path, typer.Option(help="Parquet or CSV file (or folder) that may have moved.")],
    policy: Annotated[str, typer.Option(help="default, plain, or a TOML or YAML file.")] = "default",
    columns: Annotated[
        list[str] | None, typer.Option(help="Only these columns (repeat it, or separate by commas).")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="All columns but these.")] = None,
    engine: Annotated[str, typer.Option(help="local: this machine, a column at a time.")] = "local",
    cache: Annotated[
        Path | None,
        typer.Option(help="Keep the reference's profiles here (sorted columns: keep it private)."),
    ] = None,
    classifier: Annotated[
        bool, typer.Option("--classifier", help="Also ask whether a classifier can tell the two apart.")
    ] = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two tables column by column.

    Exit code: 0 OK, 3 drift, 4 inconclusive, 2 bad input. Counts of 1 to 10 rows are hidden.

    Example: python -m core drift check --reference train.parquet --current week.parquet --output json
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from core.drift.cache import ProfileCache
    from core.drift.check import check
    from core.drift.policy import load_policy
    from core.drift.present import report_json

    if engine != "local":
        raise BadInput(f"The engine '{engine}' is not part of this version.", "Use --engine local.")
    rules = load_policy(policy)
    rules = replace(rules, ignore=(*rules.ignore, *_names(ignore)))
    report = check(
        reference,
        current,
        rules,
        columns=_names(columns) or None,
        cache=ProfileCache(cache) if cache else None,
        now=datetime.now(UTC),
    )
    if classifier:
        report = _with_classifier(report, reference, current)
    if output is Output.JSON:
        print_json(report_json(report))
    else:
        _print(report, output)
    raise typer.Exit(_exit_code(report))


def _names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for item in given or () for name in item.split(",") if name.strip())


def _exit_code(report: DriftReport) -> int:
    codes = {"OK": ExitCode.OK, "DRIFT": ExitCode.CHECK_FAILED}
    return codes.get(report.verdict.value, ExitCode.INCONCLUSIVE)


def _with_classifier(report: DriftReport, reference: Path, current: Path) -> DriftReport:
    from dataclasses import replace

    from core.drift.sources import open_source
    from core.drift.statistics.domain_classifier import domain_classifier

    names = [column.name for column in report.columns if column.verdict.is_tested]
    found = domain_classifier(open_source(reference), open_source(current), names)
    return replace(report, classifier_auc=found)


def _print(report: DriftReport, output: Output) -> None:
    from core.drift.present import quality_sentences

    head = ("column", "kind", "verdict", "effect", "adjusted p", "PSI", "why", "quality")
    rows = [
        (
            column.name,
            column.kind.value,
            column.verdict.value,
            column.effect,
            column.adjusted_pvalue,
            column.statistics.psi,
            column.reason,
            "; ".join(quality_sentences(column)),
        )
        for column in report.columns
    ]
    print_table(head, rows, output)
    log(f"{report.verdict.value}: {report.reason}")
    for finding in report.schema:
        log(f"{finding.severity.value}: {finding.message}")
    if report.classifier_auc:
        log(
            "a classifier tells the two apart with AUC {:.3f} ({:.3f} to {:.3f})".format(
                *report.classifier_auc
            )
        )
