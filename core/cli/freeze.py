"""``freeze``: refuse promotions of a model, or allow them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from core.cli.options import (
    HERE,
    EnvironmentOption,
    KeyOption,
    ModelArgument,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    log,
    print_facts,
    rehearsable,
)

if TYPE_CHECKING:
    from core.ledger.types import Record

app = typer.Typer(help="Refuse promotions of a model, or allow them again.", no_args_is_help=True)


@app.command("set")
@rehearsable
def freeze_set(
    model: ModelArgument,
    reason: ReasonOption = "",
    environment: EnvironmentOption = "production",
    idempotency_key: KeyOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse promotions of a model until the freeze is lifted; rolling back stays possible.

    Example: python -m core freeze set diagnosis-risk --reason "audit week"
    """
    from core.registry.freezes import freeze

    _record(freeze, workspace, model, environment, (reason, idempotency_key), output)
    log(f"Promotions of {model} in {environment} are frozen.")


@app.command("lift")
@rehearsable
def freeze_lift(
    model: ModelArgument,
    reason: ReasonOption = "",
    environment: EnvironmentOption = "production",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Allow promotions of a model again.

    Example: python -m core freeze lift diagnosis-risk --reason "cause understood"
    """
    from core.registry.freezes import lift

    _record(lift, workspace, model, environment, (reason,), output)
    log(f"Promotions of {model} in {environment} are possible again.")


def _record(
    change: Callable[..., Record],
    workspace: Path,
    model: str,
    environment: str,
    given: tuple[str | None, ...],
    output: Output,
) -> None:
    """Make ``change`` as the local user, and print what is the case now."""
    from core.access import local_actor
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = change(ws, model, environment, local_actor(ws.settings), *given)
    frozen = record.kind == "freeze_set"
    print_facts({"model": model, "environment": environment, "frozen": frozen, "seq": record.seq}, output)
