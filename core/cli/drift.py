"""``drift check``: has the data moved?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli import drift_kinds
from core.cli.options import HERE, Output, OutputOption, WorkspaceOption, log, print_json, print_table
from core.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.drift.engines.table import EngineTable
    from core.drift.types import DriftReport

app = typer.Typer(help="Has the data moved, by how much, and what was not watched?", no_args_is_help=True)
app.add_typer(drift_kinds.app, name="kind")


@app.callback()
def drift() -> None:
    """Has the data moved, by how much, and what was not watched?"""


@app.command("check")
def check_command(
    reference: Annotated[
        str,
        typer.Option(
            help="Parquet or CSV file (or folder) to compare with, dvc:HASH, or a data set that a run logged: "
            "mlflow:NAME@DIGEST, mlflow:runs/RUN_ID. With --engine a table."
        ),
    ],
    current: Annotated[str, typer.Option(help="What may have moved, named in the same ways.")],
    policy: Annotated[str, typer.Option(help="default, plain, or a TOML or YAML file.")] = "default",
    columns: Annotated[
        list[str] | None, typer.Option(help="Only these columns (repeat it, or separate by commas).")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="All columns but these.")] = None,
    engine: Annotated[
        str, typer.Option(help="local: this machine. spark or ibis: there, and only aggregates leave it.")
    ] = "local",
    connect: Annotated[
        str | None,
        typer.Option(envvar="MODELDESK_CONNECT", help="ibis: the database's URL. spark: the master."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Keep the reference's profiles here (sorted columns: keep it private)."),
    ] = None,
    classifier: Annotated[
        bool, typer.Option("--classifier", help="Also ask whether a classifier can tell the two apart.")
    ] = False,
    mmd: Annotated[
        bool, typer.Option("--mmd", help="Also measure how far whole rows are apart (kernel distance).")
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            help="Weigh columns by how much a model trained on the reference uses them for this one."
        ),
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two tables column by column.

    Exit code: 0 OK, 3 drift, 4 inconclusive, 2 bad input. Counts of 1 to 10 rows are hidden.

    Example: python -m core drift check --reference train.parquet --current week.parquet --output json

    In a database: --engine ibis --connect postgresql://HOST/DATABASE --reference training --current predictions
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from core.drift.cache import ProfileCache
    from core.drift.check import check
    from core.drift.policy import load_policy
    from core.drift.present import report_json

    if engine != "local" and (cache or classifier or mmd or target):
        raise BadInput(
            "--cache, --classifier, --mmd and --target need the rows on this machine.",
            "Leave them out, or use --engine local.",
        )
    before, now = (_opened(workspace, name, engine, connect) for name in (reference, current))
    rules = load_policy(policy)
    rules = replace(rules, ignore=(*rules.ignore, *_names(ignore)))
    weights = _importance(before, now, target, rules.ignore) if target else None
    report = check(
        before,
        now,
        rules if target is None else replace(rules, ignore=(*rules.ignore, target)),
        columns=_names(columns) or None,
        importance=weights,
        cache=ProfileCache(cache) if cache else None,
        now=datetime.now(UTC),
    )
    if classifier or mmd:
        report = _with_whole_rows(report, before, now, classifier=classifier, mmd=mmd)
    if output is Output.JSON:
        print_json(report_json(report))
    else:
        _print(report, output)
    raise typer.Exit(_exit_code(report))


def _opened(workspace: Path, name: str, engine: str, connect: str | None) -> Path | EngineTable:
    if engine != "local":
        from core.drift.engines.open import open_table

        return open_table(engine, name, connect)
    from core.drift.references import is_named, reference_file
    from core.workspace import open_workspace

    return reference_file(open_workspace(workspace), name) if is_named(name) else Path(name)


def _names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for item in given or () for name in item.split(",") if name.strip())


def _exit_code(report: DriftReport) -> int:
    codes = {"OK": ExitCode.OK, "DRIFT": ExitCode.CHECK_FAILED}
    return codes.get(report.verdict.value, ExitCode.INCONCLUSIVE)


def _importance(
    reference: Path, current: Path, target: str, ignored: tuple[str, ...]
) -> Mapping[str, float] | None:
    import numpy as np

    from core.drift.importance import MIN_FIDELITY, surrogate_importance
    from core.drift.sources import open_source

    source, other = open_source(reference), open_source(current)
    if target not in source.names:
        raise BadInput(f"The reference has no column '{target}'.", f"It has: {', '.join(source.names)}.")
    features = [name for name in source.names if name in other.names and name not in (target, *ignored)]
    found = surrogate_importance(source, np.arange(source.rows), features, target, "a model of the reference")
    if found is None:
        log(
            f"No importance: a model of '{target}' explains less than {MIN_FIDELITY:.0%} of it, or rows are few."
        )
        return None
    log(f"Importance is that of a model of '{target}' that explains {found.fidelity:.0%} of it.")
    return found.shares


def _with_whole_rows(
    report: DriftReport, reference: Path, current: Path, *, classifier: bool, mmd: bool
) -> DriftReport:
    from dataclasses import replace

    from core.drift.sources import open_source
    from core.drift.statistics.domain_classifier import domain_classifier
    from core.drift.statistics.mmd import mmd as kernel_distance

    names = [column.name for column in report.columns if column.verdict.is_tested]
    sides = open_source(reference), open_source(current)
    return replace(
        report,
        classifier_auc=domain_classifier(*sides, names) if classifier else None,
        mmd=kernel_distance(*sides, names) if mmd else None,
    )


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
    log(
        f"{report.verdict.value}: {report.reason}"
        + (f" (compared in {report.engine})" if report.engine else "")
    )
    for finding in report.schema:
        log(f"{finding.severity.value}: {finding.message}")
    if report.classifier_auc:
        log(
            "a classifier tells the two apart with AUC {:.3f} ({:.3f} to {:.3f})".format(
                *report.classifier_auc
            )
        )
    if report.mmd:
        log(
            f"squared MMD of whole rows {report.mmd.statistic:.4g}, p {report.mmd.pvalue:.4g} ({report.mmd.method})"
        )
