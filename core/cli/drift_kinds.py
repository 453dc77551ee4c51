"""``drift kind``: what kind of column the monitor takes each for; say otherwise, or take that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    ModelArgument,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
    rehearsable,
)

if TYPE_CHECKING:
    from pathlib import Path

    from core.drift.types import ColumnKind

app = typer.Typer(
    help="What kind of column each is taken for: see, say otherwise, take back.", no_args_is_help=True
)

ColumnArgument = Annotated[str, typer.Argument(help="The column's name.")]


@app.command("list")
def list_command(
    model: ModelArgument, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Every watched column, its kind, and who or what decided that.

    Example: python -m core drift kind list diagnosis-risk --workspace .demo --output json
    """
    from core.drift.watched import column_kinds, open_watched
    from core.workspace import open_workspace

    found = column_kinds(open_watched(open_workspace(workspace), model))
    if output is Output.JSON:
        rows = [
            {
                "column": name,
                "kind": one.kind.value,
                "decided_by": one.decided_by,
                "by": one.said.by if one.said else None,
                "since": one.said.at.isoformat(timespec="seconds") if one.said else None,
                "reason": one.said.reason if one.said else None,
            }
            for name, one in found.items()
        ]
        print_json({"model": model, "columns": rows})
        return
    print_table(
        ("column", "kind", "decided by", "by", "reason"),
        [
            (
                name,
                one.kind.value,
                one.decided_by,
                *((one.said.by, one.said.reason) if one.said else (None, None)),
            )
            for name, one in found.items()
        ],
        output,
    )


@app.command("set")
@rehearsable
def set_command(
    model: ModelArgument,
    column: ColumnArgument,
    kind: Annotated[str, typer.Argument(help="numeric, categorical, boolean, datetime, identifier or text.")],
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Treat a column as another kind than the rules say; every window is then judged anew.

    Example: python -m core drift kind set diagnosis-risk smoker categorical --reason "a code" --workspace .demo
    """
    from core.drift.column_kinds import CHOICES
    from core.drift.types import ColumnKind
    from core.errors import BadInput

    if kind not in CHOICES:
        raise BadInput(f"'{kind}' is no kind of column.", f"Use {', '.join(CHOICES)}.")
    _set(workspace, model, column, ColumnKind(kind), reason, output)


@app.command("reset")
@rehearsable
def reset_command(
    model: ModelArgument,
    column: ColumnArgument,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let the policy file and the rules decide a column's kind again: the reverse of ``set``.

    Example: python -m core drift kind reset diagnosis-risk smoker --reason "no code after all" --workspace .demo
    """
    _set(workspace, model, column, None, reason, output)


def _set(
    workspace: Path, model: str, column: str, kind: ColumnKind | None, reason: str, output: Output
) -> None:
    from core.access import local_actor
    from core.drift.column_kinds import said_kinds, set_kind
    from core.drift.watched import monitored
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    section = monitored(ws).get(model)
    now = said_kinds(ws, model, section.environment).get(column) if section else None
    record = set_kind(
        ws, model, column, kind, local_actor(ws.settings), reason, expected=now.kind if now else None
    )
    facts = {"model": model, "column": column, "treated_as": kind.value if kind else None, "seq": record.seq}
    print_facts(facts, output)
    log(f"{column} is treated as {kind}." if kind else f"{column} is decided by the rules again.")
