"""``deputy`` and ``review``: who may approve in my place, and looking at rollbacks afterwards."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.approvals import AsOption, actor_of
from core.cli.options import (
    HERE,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    log,
    moment,
    print_facts,
    print_json,
    print_table,
    rehearsable,
)

deputy = typer.Typer(help="Who may approve in my place, until a date.", no_args_is_help=True)
review = typer.Typer(help="Rollbacks that wait for their review.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The deputy, by the name in modeldesk.toml.")]


@deputy.command()
@rehearsable
def name(
    deputy_name: NameArgument,
    until: Annotated[str, typer.Option("--until", help="2026-03-03 (its end) or 2026-03-03T09:00Z.")],
    reason: ReasonOption = "",
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let somebody approve in your place until a date; it ends by itself.

    Example: python -m core deputy name ana --until 2026-12-24 --reason "on leave"
    """
    from core.registry.deputies import name_deputy
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    actor = actor_of(ws, as_user)
    record = name_deputy(ws, actor, deputy_name, moment(until), reason)
    print_facts({"deputy": deputy_name, "event": record.kind, "seq": record.seq}, output)
    log(f"{deputy_name} may approve in place of {actor.printed_name} until {record.payload['until']}.")


@deputy.command()
@rehearsable
def end(
    deputy_name: NameArgument,
    reason: ReasonOption = "",
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """End it before its date.

    Example: python -m core deputy end ana
    """
    from core.registry.deputies import end_deputy
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = end_deputy(ws, actor_of(ws, as_user), deputy_name, reason)
    print_facts({"deputy": deputy_name, "event": record.kind, "seq": record.seq}, output)
    log(f"{deputy_name} is no deputy any more.")


@deputy.command("list")
def list_deputies(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Who stands in for whom now.

    Example: python -m core deputy list --output json
    """
    from core.registry.deputies import deputies
    from core.workspace import open_workspace

    found = deputies(open_workspace(workspace))
    rows = [[item.deputy, item.principal, item.until.isoformat()] for item in found]
    columns = ["deputy", "principal", "until"]
    if output is Output.JSON:
        print_json({"deputies": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(columns, rows, output)


@review.command("list")
def list_reviews(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Rollbacks that nobody has looked at yet, and until when somebody should.

    Example: python -m core review list
    """
    from core.registry.reviews import reviews_due
    from core.workspace import open_workspace

    columns = ["operation_id", "model", "environment", "to_version", "by", "reason", "review_due"]
    rows = [
        [
            item.payload["operation_id"],
            item.model,
            item.environment,
            item.payload["to_version"],
            item.actor.printed_name,
            item.reason,
            item.payload["review_due"],
        ]
        for item in reviews_due(open_workspace(workspace))
    ]
    if output is Output.JSON:
        print_json({"reviews": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(columns, rows, output)


@review.command()
@rehearsable
def record(
    operation_id: Annotated[str, typer.Argument(help="The rollback's operation id.")],
    finding: Annotated[str, typer.Option("--finding", help="Was it right, and what follows?")],
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Record what was found about a rollback; the freeze is lifted by a command of its own.

    Example: python -m core review record 0123456789ab --finding "right; sensitivity had fallen at site south"
    """
    from core.registry import reviews
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    found = reviews.review(ws, operation_id, actor_of(ws, as_user), finding)
    print_facts({"operation_id": operation_id, "event": found.kind, "seq": found.seq}, output)
    log("The review is recorded. Promotions stay frozen until `freeze lift`.")
