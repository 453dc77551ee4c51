"""``ci``: a pipeline for a team's repository, and the comment it leaves under a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.ci.init import Provider
from core.cli.options import DryRunOption, Output, OutputOption, log, print_facts, print_json, print_table
from core.errors import BadInput

_NEXT = (
    "Their first lines say which variables and secrets they need, and for which environment: set that scope "
    "(GitHub: Settings -> Environments; GitLab: Settings -> CI/CD -> Variables -> Environment scope), or the job "
    "that runs a merge request's own code has the ledger's key too."
)

app = typer.Typer(
    help="Pipelines: write one into a repository, comment on a pull request.", no_args_is_help=True
)


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(help="The repository.", metavar="DIR")] = Path(),
    model: Annotated[str, typer.Option("--model", help="The registered model.")] = "",
    data: Annotated[str, typer.Option("--data", help="The table to validate, in the repository.")] = "",
    provider: Annotated[
        list[Provider] | None, typer.Option("--provider", help="github, gitlab, or both.")
    ] = None,
    schema: Annotated[str, typer.Option("--schema", help="The data's schema.")] = "schema.yaml",
    quality: Annotated[str, typer.Option("--quality", help="The quality policy.")] = "quality.yaml",
    run_id_file: Annotated[
        str, typer.Option("--run-id-file", help="Where training writes its MLflow run id.")
    ] = "models/run_id.txt",
    desk: Annotated[str, typer.Option("--desk", help="The folder with modeldesk.toml.")] = ".",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite another pipeline.")] = False,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write GitHub Actions and GitLab CI pipelines: validate, train, judge, register, ask, deploy, roll back.

    Exit code: 0 done, 7 another pipeline is there already.

    Example: python -m core ci init project --model diagnosis-risk --data data/raw/patients.csv --provider github
    """
    from core.ci.init import PLACES, Names, template, write

    if not model or not data:
        raise BadInput("The pipeline needs a model and its data.", "Give --model and --data.")
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", "Name the repository's folder.")
    names = Names(
        model=model, data=data, schema=schema, quality=quality, run_id_file=run_id_file, workspace=desk
    )
    wanted = tuple(provider or Provider)
    for one in wanted:
        template(one, names)  # a name that cannot stand in it is said before anything is written
    written = [
        str(folder / PLACES[one] if dry_run else write(folder, one, names, replace=replace)) for one in wanted
    ]
    if output is Output.JSON:
        print_json({"files": written, "dry_run": dry_run})
    else:
        print_table(["file"], [[file] for file in written], output)
    log("Nothing was written." if dry_run else _NEXT)


@app.command("comment")
def comment_command(
    file: Annotated[Path, typer.Argument(help="Markdown from `report`.", metavar="FILE")],
    dry_run: DryRunOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Post a report under the pull request that this job runs for, in place of the one before.

    Reads GitHub's or GitLab's own variables, and GITHUB_TOKEN or GITLAB_TOKEN. Where the job runs for no pull
    request nothing is posted and the exit code is 0; a comment that cannot be posted is exit code 1.

    Example: python -m core ci comment report.md
    """
    from core.ci.comments import Posted, place_of, post

    try:
        body = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{file} cannot be read ({type(error).__name__}).", "Name what `report` wrote."
        ) from error
    place = place_of()
    if place is None:
        log("This job runs for no pull request: nothing was posted.")
    nothing = place is None or dry_run
    done = Posted("nothing posted", "") if nothing or place is None else post(place, body)
    print_facts({"action": done.action, "url": done.url, "dry_run": dry_run}, output)
