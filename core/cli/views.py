"""``views``: the team's saved views of the Experiments and Compare pages."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.options import (
    HERE,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
    rehearsable,
)

app = typer.Typer(help="Saved views: list, save and remove.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The view's name.")]
PageOption = Annotated[str, typer.Option("--page", help="experiments or compare.")]


@app.command("list")
def list_views(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """List saved views with the link to each.

    Example: python -m core views list --output json
    """
    from core.views import views
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    base = ws.settings.notify.base_url.rstrip("/")
    rows = [
        {
            "page": view.page,
            "name": view.name,
            "by": view.by.printed_name,
            "at": view.at.isoformat(),
            "url": f"{base}/{view.page}?{view.query}",
        }
        for view in views(ws)
    ]
    if output is Output.JSON:
        print_json({"views": rows})
    else:
        columns = ("page", "name", "by", "at", "url")
        print_table(columns, [[row[column] for column in columns] for row in rows], output)


@app.command()
@rehearsable
def save(
    name: NameArgument,
    query: Annotated[str, typer.Option("--query", help="What stands after the ? in the page's address.")],
    page: PageOption = "experiments",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Save a page's address under a name for the team.

    Example: python -m core views save "good forests" --query "experiment=triage&q=metrics.auroc > 0.95"
    """
    from core.access import local_actor
    from core.views import save_view
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    view = save_view(ws, page, name, query, local_actor(ws.settings))
    print_facts({"page": view.page, "name": view.name}, output)
    log(f"'{view.name}' of {view.page} is saved.")


@app.command()
@rehearsable
def remove(
    name: NameArgument,
    page: PageOption = "experiments",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Remove a saved view; your own, or as an admin anybody's.

    Example: python -m core views remove "good forests"
    """
    from core.access import local_actor
    from core.views import remove_view
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    remove_view(ws, page, name, local_actor(ws.settings))
    print_facts({"page": page, "name": name}, output)
    log(f"'{name}' of {page} is removed.")
