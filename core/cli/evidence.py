"""``evidence`` and ``card``: what an auditor gets of one model version."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    ModelArgument,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
)
from core.errors import BadInput, ExitCode

app = typer.Typer(help="Evidence packs of model versions.", no_args_is_help=True)


class CardFormat(StrEnum):
    """How a model card is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


@app.command()
def export(
    model: ModelArgument,
    version: Annotated[int, typer.Argument(min=1, help="The version's number.")],
    out: Annotated[Path, typer.Option("--out", help="The ZIP file to write.")],
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write the evidence pack of a version; the export is recorded with the file's SHA-256.

    The same state gives the same bytes.

    Example: python -m core evidence export diagnosis-risk 8 --out evidence.zip
    """
    from core.access import local_actor
    from core.evidence.pack import export_to, preview
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    make = preview if dry_run else export_to
    made = make(ws, model, version, local_actor(ws.settings), out)
    facts = {"file": str(out), "sha256": made.sha256, "bytes": len(made.content)}
    print_facts(facts | ({"dry_run": True} if dry_run else {}), output)
    if dry_run:
        log("Dry run: nothing was written or recorded.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A file from `evidence export`.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Check an evidence pack, offline; exit code 8 when a byte of it was changed.

    Example: python -m core evidence verify evidence.zip
    """
    from core.evidence.check import problems_of, sha256

    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", "Name the exported file.") from error
    problems = problems_of(content)
    if output is Output.JSON:
        print_json({"ok": not problems, "problems": problems, "sha256": sha256(content)})
    else:
        print_table(["problem"], [[problem] for problem in problems], output)
    log("The pack is NOT what was exported." if problems else "The pack is whole: every byte is as exported.")
    if problems:
        raise typer.Exit(ExitCode.INTEGRITY)


def card(
    model: ModelArgument,
    version: Annotated[int, typer.Argument(min=1, help="The version's number.")],
    output: Annotated[
        CardFormat, typer.Option("--output", help="markdown, html or json.")
    ] = CardFormat.MARKDOWN,
    workspace: WorkspaceOption = HERE,
) -> None:
    """The model card of a version; what nobody told is printed as not provided.

    Example: python -m core card diagnosis-risk 8 --output html > card.html
    """
    from core.evidence.card import model_card
    from core.evidence.card_text import card_html, card_markdown
    from core.workspace import open_workspace

    found = model_card(open_workspace(workspace), model, version)
    if output is CardFormat.JSON:
        print_json(found.as_dict())
        return
    sys.stdout.write(card_html(found) if output is CardFormat.HTML else card_markdown(found))
