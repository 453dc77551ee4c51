"""``python -m core audit``: check, anchor and export the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    Output,
    OutputOption,
    WorkspaceOption,
    log,
    print_facts,
    print_json,
    print_table,
)
from core.errors import BadInput, ExitCode

app = typer.Typer(help="Check, anchor and export the record of decisions.", no_args_is_help=True)


@app.command()
def verify(
    anchor: Annotated[
        Path | None,
        typer.Option("--anchor", help="A file from `audit anchor`: shows a cut or rebuilt chain."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Check a file from `audit export --out` instead.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Recompute every hash and link of the ledger, and the state stored beside it; exit code 8 for any difference.

    Example: python -m core audit verify --anchor anchor.json --output json
    """
    from core.ledger.anchors import read_anchor
    from core.ledger.exports import read_export
    from core.ledger.verify import verify_rows
    from core.workspace import open_workspace

    kept = read_anchor(anchor) if anchor else None
    found = (
        verify_rows(read_export(export), kept) if export else open_workspace(workspace).ledger.verify(kept)
    )
    if output is Output.JSON:
        problems = [{"seq": p.seq, "kind": str(p.kind), "detail": p.detail} for p in found.problems]
        document = {"ok": found.ok, "events": found.events, "head": found.head, "problems": problems}
        print_json(document | {"anchored": found.anchored, "notices": list(found.notices)})
    else:
        rows = [[p.seq, str(p.kind), p.detail] for p in found.problems]
        print_table(["seq", "kind", "detail"], rows, output)
    log(found.sentence)
    for notice in found.notices:
        log(notice)
    if not found.ok:
        raise typer.Exit(ExitCode.INTEGRITY)


@app.command()
def anchor(
    out: Annotated[Path, typer.Option("--out", help="Where to write it; keep it away from the ledger.")],
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write down how many events there are and the hash that stands for all of them.

    Example: python -m core audit anchor --out anchor.json
    """
    from core.ledger.anchors import write_anchor
    from core.ledger.canonical import instant_text
    from core.workspace import open_workspace

    written = open_workspace(workspace).ledger.anchor()
    if not dry_run:
        write_anchor(written, out)
    facts = {"file": str(out), "events": written.events, "head": written.hash}
    print_facts(facts | {"at": instant_text(written.at), "dry_run": dry_run}, output)


@app.command()
def rebuild(
    dry_run: DryRunOption = False, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Make the state that is stored beside the events anew; the events alone count, and stay as they are.

    Example: python -m core audit rebuild
    """
    from core.access import Action, local_actor, require
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    require(ws.settings, local_actor(ws.settings), Action.CHANGE_SETTINGS)
    state = ws.ledger.state() if dry_run else ws.ledger.rebuild()
    print_facts({"events": state.seq, "dry_run": dry_run}, output)
    if dry_run:
        log("Dry run: the stored state is as it was.")
        return
    log(f"The stored state was made anew from {state.seq:,} events.")


@app.command()
def access(
    model: Annotated[str | None, typer.Option("--model", help="Only this model.")] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Who may approve, promote and roll back, per model and environment, and when each last did.

    Example: python -m core audit access --model diagnosis-risk --output json
    """
    from datetime import UTC, datetime

    from core.audit.access_review import access_review
    from core.workspace import open_workspace

    found = access_review(open_workspace(workspace), datetime.now(UTC), model)
    facts = [row.as_dict() for row in found.rows]
    if output is Output.JSON:
        print_json({"access": facts})
    else:
        columns = list(facts[0]) if facts else ["model", "environment", "person"]
        print_table(columns, [list(fact.values()) for fact in facts], output)
    if found.unanswered is not None:
        raise found.unanswered


@app.command()
def inventory(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """The model inventory: owner, deputy, intended use, risk tier and review trigger of every model.

    Example: python -m core audit inventory --output json
    """
    from core.registry import inventory as models
    from core.workspace import open_workspace

    found = models.inventory(open_workspace(workspace))
    if output is Output.JSON:
        facts = [
            {
                "model": name,
                **{question.replace(" ", "_"): answer or None for question, answer in told.items()},
            }
            for name, told in found.items()
        ]
        print_json({"models": facts})
        return
    rows = [[name, *(answer or "not provided" for answer in told.values())] for name, told in found.items()]
    print_table(["model", *models.TAGS], rows, output)


@app.command()
def coverage(output: OutputOption = Output.TABLE) -> None:
    """What the ledger records, what it only notices, and what it cannot see.

    Example: python -m core audit coverage --output markdown
    """
    from dataclasses import asdict

    from core.audit.coverage import COVERAGE

    if output is Output.JSON:
        print_json({"coverage": [asdict(line) for line in COVERAGE]})
        return
    rows = [[line.action, str(line.recorded), line.how] for line in COVERAGE]
    print_table(["action", "in the ledger", "what exactly"], rows, output)


@app.command()
def export(
    model: Annotated[str | None, typer.Option("--model", help="Only events about this model.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write all rows as they are stored, one JSON line each, to be checked."),
    ] = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.JSON,
) -> None:
    """Every event, for an auditor; the export itself is recorded afterwards.

    A file written with --out keeps the chain: `audit verify --export FILE` checks it anywhere.

    Example: python -m core audit export --model diagnosis-risk > events.json
    """
    from core.access import Action, local_actor, require
    from core.ledger.canonical import digest
    from core.ledger.events import ExportMade
    from core.ledger.exports import write_export
    from core.registry.words import event_facts
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    actor = local_actor(ws.settings)
    require(ws.settings, actor, Action.EXPORT, model or "")
    if out is not None:
        if model is not None:
            raise BadInput("A part of the chain cannot be checked.", "Give --out without --model.")
        if dry_run:
            log(f"{ws.ledger.head().events} events would be written to {out}; nothing was.")
            return
        count, sha256 = write_export(ws.ledger.rows(), out)
        ws.ledger.append(ExportMade(what="audit log", sha256=sha256), actor)
        print_facts({"file": str(out), "events": count, "sha256": sha256}, output)
        return
    records = ws.ledger.records(model=model)
    facts = [event_facts(record) for record in records]
    event = ExportMade(model=model or "", what="audit extract", sha256=digest(facts))
    if not dry_run:
        ws.ledger.append(event, actor)
    if output is Output.JSON:
        print_json({"events": facts, "sha256": event.sha256})
        return
    columns = ["seq", "at", "actor", "kind", "model", "environment", "reason"]
    print_table(columns, [[fact[name] for name in columns] for fact in facts], output)
