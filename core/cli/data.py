"""``validate-data`` and ``check-quality``: is this table what it should be, and fit to train on?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_json,
    print_table,
    progress,
    rehearsable,
)
from core.errors import BadInput, ExitCode

if TYPE_CHECKING:
    from core.quality.types import Report

FileArgument = Annotated[Path, typer.Argument(help="CSV (also .gz) or Parquet.", metavar="FILE")]
EncodingOption = Annotated[str, typer.Option("--encoding", help="Of a CSV: auto, utf-8, latin-1 ...")]
RunOption = Annotated[
    str | None,
    typer.Option("--run", help="Keep the report with this MLflow run, where the gates find it."),
]


@rehearsable
def validate_data(
    file: FileArgument,
    schema: Annotated[Path | None, typer.Option("--schema", help="The schema (YAML).")] = None,
    infer: Annotated[
        bool, typer.Option("--infer", help="Write a first schema for FILE to stdout instead of checking it.")
    ] = False,
    encoding: EncodingOption = "auto",
    run: RunOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a table against a schema, chunk by chunk. It names columns, rules and counts, never a value.

    Counts of 1 to 10 rows are shown as "<11". Exit code: 0 PASS, 3 FAIL.

    Example: python -m core validate-data project/data/raw/patients.csv --schema schema.yaml
    """
    from core.quality.tables import open_table

    if infer is (schema is not None):
        raise BadInput("Say what FILE is checked against.", "Give --schema SCHEMA, or --infer to write one.")
    table = open_table(file, encoding)
    if schema is None:
        from core.quality.infer import infer as first_schema

        with progress(f"Reading {file.name}", "rows") as advance:
            text = first_schema(table, file.name.split(".")[0], advance)
        if output is Output.JSON:
            print_json({"schema": text})
        else:
            sys.stdout.write(text)
        return
    from core.quality.schema_file import read_schema
    from core.quality.validate import validate

    rules = read_schema(schema)
    with progress(f"Checking {file.name}", "rows") as advance:
        found = validate(table, rules, advance)
    _finish(found, run, workspace, output)


@rehearsable
def check_quality(
    file: FileArgument,
    policy: Annotated[Path, typer.Option("--policy", help="The quality policy (YAML).")],
    encoding: EncodingOption = "auto",
    run: RunOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Missing shares, repeated rows, label balance and rows per subgroup, against a policy.

    Exit code: 0 PASS, 3 FAIL, 4 INCONCLUSIVE (a column that is not there, too few rows).

    Example: python -m core check-quality project/data/raw/patients.csv --policy quality.yaml
    """
    from core.quality.check import check_quality as check
    from core.quality.check import read_quality_policy
    from core.quality.tables import open_table

    rules, table = read_quality_policy(policy), open_table(file, encoding)
    with progress(f"Checking {file.name}", "rows") as advance:
        found = check(table, rules, advance)
    _finish(found, run, workspace, output)


def _finish(found: Report, run: str | None, workspace: Path, output: Output) -> None:
    from core.quality.types import Verdict

    for note in found.notes:
        log(note)
    if run:
        _keep(found, run, workspace)
    facts = found.as_dict()
    if output is Output.JSON:
        print_json(facts)
    else:
        columns = ("column", "rule", "verdict", "count", "share")
        broken = [one for one in facts["checks"] if one["verdict"] != Verdict.PASS]
        shown = broken if output is Output.MARKDOWN and broken else facts["checks"]
        print_table(columns, [[one[name] for name in columns] for one in shown], output)
        log(f"{found.verdict}: {len(found.checks) - len(broken)} of {len(found.checks)} rules hold.")
    codes = {Verdict.FAIL: ExitCode.CHECK_FAILED, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
    if found.verdict in codes:
        raise typer.Exit(codes[found.verdict])


def _keep(found: Report, run: str, workspace: Path) -> None:
    from core.access import local_actor
    from core.registry.attach import attach
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    path = attach(ws, run, found.kind, str(found.verdict), found.as_dict(), local_actor(ws.settings))
    log(f"Report of run {run}: {path}")
