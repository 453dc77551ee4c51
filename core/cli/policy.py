"""``policy``: the release policy as numbered versions."""

from __future__ import annotations

import typer

from core.cli.options import (
    HERE,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    print_facts,
    rehearsable,
)
from core.errors import BadSettings

app = typer.Typer(help="The release policy.", no_args_is_help=True)


@app.command()
@rehearsable
def publish(
    reason: ReasonOption = "",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check the policy file and publish it as a numbered version; the same text keeps its number.

    Example: python -m core policy publish --reason "two approvers for high risk"
    """
    from core.access import local_actor
    from core.registry import policy
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    found = policy.policy_of(ws)
    if found is None:
        raise BadSettings("No policy is configured.", "Set `policy` in modeldesk.toml.")
    number = policy.publish(ws, found, local_actor(ws.settings), reason)
    print_facts({"policy": found.name, "version": number, "sha256": found.sha256}, output)
