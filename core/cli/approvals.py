"""``request-approval``, ``approve`` and ``approval``: asking for a release and answering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    EnvironmentOption,
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
from core.errors import BadInput, ExitCode, Unavailable

if TYPE_CHECKING:
    from core.access import Actor
    from core.registry.requests import Judgement
    from core.workspace import Workspace

app = typer.Typer(help="Requests for release: look, answer, take back.", no_args_is_help=True)

AsOption = Annotated[
    str | None, typer.Option("--as", help="Act as a demo user (local mode only); the record says so.")
]
RequestArgument = Annotated[str, typer.Argument(help="The request's id.", metavar="REQUEST_ID")]


@rehearsable
def request_approval(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The version that shall go live.")],
    reason: ReasonOption,
    environment: EnvironmentOption = "production",
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask that a version may go live; asking again gives the same open request.

    Example: python -m core request-approval diagnosis-risk --version 9 --reason "better recall"
    """
    from core.registry.approvals import open_request
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    _print(open_request(ws, model, version, environment, actor_of(ws, as_user), reason), output)


@rehearsable
def approve(
    request_id: RequestArgument,
    meaning: Annotated[str, typer.Option("--meaning", help="What the signature means.")] = "",
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Allow what loading the files would run, name by name.")
    ] = False,
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Sign a request; whoever has a passphrase is asked for it. Requester and run author cannot.

    A version whose files run code when they are loaded (a pickle) is served only when the approval allows it: what it
    would run is listed on the request's page, and by --allow-code before the signature.

    Example: python -m core approve req-0123456789ab --meaning "I approve release to production"
    """
    from core.deploy.code import listed
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    actor = actor_of(ws, as_user)
    code = listed(ws, request_id, log) if allow_code else ()
    words = _passphrase_for(ws, actor, request_id)
    signed = approvals.approve(ws, request_id, actor, meaning, words, allows_code=code)
    _print(signed, output)


@app.command()
def check(
    subject: Annotated[str, typer.Argument(metavar="REQUEST_ID|MODEL/V", help="A request, or a version.")],
    environment: EnvironmentOption = "production",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """What a request is worth now. Exit code 0 when it is approved, else 5.

    Example: python -m core approval check diagnosis-risk/9 --output json
    """
    from core.registry.requests import APPROVED
    from core.workspace import open_workspace

    found = _judged(open_workspace(workspace), subject, environment)
    _print(found, output)
    if found is None or found.state != APPROVED:
        raise typer.Exit(ExitCode.APPROVAL_MISSING)


@app.command()
def wait(
    subject: Annotated[str, typer.Argument(metavar="REQUEST_ID|MODEL/V", help="A request, or a version.")],
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds at most.")] = 3600,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between looks.")] = 10,
    environment: EnvironmentOption = "production",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Wait until a request is decided. Exit code 0 when it is approved, 5 when it is not or time is up.

    An MLflow that does not answer for a moment does not end the waiting.

    Example: python -m core approval wait diagnosis-risk/9 --timeout 1800
    """
    import time

    from core.registry.requests import APPROVED, CHANGES, OPEN
    from core.workspace import open_workspace

    ws, end, found, last = open_workspace(workspace), time.monotonic() + timeout, None, ""
    while True:
        try:
            found = _judged(ws, subject, environment)
            state = found.state if found else "missing"
        except Unavailable as error:
            state = error.what
            if time.monotonic() >= end:
                raise
        if state != last:
            log(f"{subject}: {state}")
            last = state
        undecided = found is None or found.state in (OPEN, CHANGES)
        if not undecided or time.monotonic() >= end:
            break
        time.sleep(max(0.0, min(every, end - time.monotonic())))
    _print(found, output)
    if found is None or found.state != APPROVED:
        raise typer.Exit(ExitCode.APPROVAL_MISSING)


@app.command("list")
def list_requests(
    model: Annotated[str | None, typer.Option("--model", help="Only requests of this model.")] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Every request with what it is worth now, newest first.

    Example: python -m core approval list --model diagnosis-risk
    """
    from core.registry.requests import judgements
    from core.workspace import open_workspace

    found = judgements(open_workspace(workspace), model)
    if output is Output.JSON:
        print_json({"requests": [_facts(item) | _subject(item) for item in found]})
        return
    columns = ("request", "model", "version", "environment", "by", "state", "approvals", "reasons")
    rows = [
        [item.request_id, *_subject(item).values(), item.state, f"{item.has}/{item.needs}", _reasons(item)]
        for item in found
    ]
    print_table(columns, rows, output)


@app.command()
@rehearsable
def reject(
    request_id: RequestArgument,
    reason: ReasonOption,
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say no; the request is closed.

    Example: python -m core approval reject req-0123456789ab --reason "recall fell at site B"
    """
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    actor = actor_of(ws, as_user)
    words = _passphrase_for(ws, actor, request_id)
    _print(approvals.reject(ws, request_id, actor, reason, words), output)


@app.command("request-changes")
@rehearsable
def request_changes(
    request_id: RequestArgument,
    reason: ReasonOption,
    about: Annotated[
        list[str] | None, typer.Option("--about", help="A gate that this is about, by name; may be repeated.")
    ] = None,
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask for something else before deciding.

    Example: python -m core approval request-changes req-0123456789ab --reason "add the subgroup table"
    """
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    _print(approvals.request_changes(ws, request_id, actor_of(ws, as_user), reason, about or ()), output)


@app.command()
@rehearsable
def comment(
    request_id: RequestArgument,
    text: Annotated[str, typer.Option("--text", help="What the others should know.")],
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Add a remark to a request.

    Example: python -m core approval comment req-0123456789ab --text "the wards asked for this"
    """
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    _print(approvals.comment(ws, request_id, actor_of(ws, as_user), text), output)


@app.command()
@rehearsable
def withdraw(
    request_id: RequestArgument,
    reason: ReasonOption = "",
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a request back: the requester, or an admin.

    Example: python -m core approval withdraw req-0123456789ab --reason "trained again"
    """
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    _print(approvals.withdraw(ws, request_id, actor_of(ws, as_user), reason), output)


@app.command()
@rehearsable
def override(
    request_id: RequestArgument,
    gate: Annotated[str, typer.Option("--gate", help="The gate, by its name.")],
    reason: ReasonOption,
    as_user: AsOption = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Accept an inconclusive gate, or a failed one on drift, with a reason; no other failed one can be accepted.

    Example: python -m core approval override req-0123456789ab --gate "test rows" --reason "external study"
    """
    from core.registry import approvals
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    _print(approvals.override_gate(ws, request_id, gate, actor_of(ws, as_user), reason), output)


@app.command()
def enrol(
    as_user: AsOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set or change the passphrase that you sign with.

    Example: python -m core approval enrol
    """
    from core.registry.signing import enrol as set_passphrase
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    actor = actor_of(ws, as_user)
    if dry_run:
        log(f"{actor.printed_name} would be asked for a passphrase; nothing was changed.")
        print_facts({"signer": actor.name, "dry_run": True}, output)
        return
    current = _passphrase(ws, actor)
    chosen = typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    set_passphrase(ws, actor, chosen, current)
    print_facts({"signer": actor.name, "dry_run": False}, output)
    log(f"{actor.printed_name} signs with a passphrase from now on.")


def actor_of(ws: Workspace, as_user: str | None) -> Actor:
    from core.access import demo_actor, local_actor

    return demo_actor(ws.settings, as_user) if as_user else local_actor(ws.settings)


def _passphrase_for(ws: Workspace, actor: Actor, request_id: str) -> str | None:
    from core.registry.requests import find_request

    find_request(ws, request_id)  # a wrong id is said before anybody types a passphrase
    return _passphrase(ws, actor)


def _passphrase(ws: Workspace, actor: Actor) -> str | None:
    from core.registry.signing import is_enrolled

    if ws.ledger.rehearses or not is_enrolled(ws, actor.name):
        return None
    return typer.prompt(f"Passphrase of {actor.printed_name}", hide_input=True, err=True)


def _judged(ws: Workspace, subject: str, environment: str) -> Judgement | None:
    from core.registry.requests import find_request, judge, newest_request

    if "/" in subject:
        model, version = _model_version(subject)
        ws.registry.version(model, version)
        request = newest_request(ws, model, version, environment)
    else:
        request = find_request(ws, subject)
    return judge(ws, request) if request else None


def _model_version(text: str) -> tuple[str, int]:
    model, _, version = text.rpartition("/")
    if not model or not version.isdigit():
        raise BadInput(f"'{text}' is no version.", "Write MODEL/V, as in diagnosis-risk/8.")
    return model, int(version)


def _facts(found: Judgement | None) -> dict[str, object]:
    if found is None:
        reasons = ["nobody has requested an approval of this version"]
        return {
            "request_id": None,
            "url": None,
            "state": "missing",
            "needs": None,
            "has": 0,
            "reasons": reasons,
        }
    return {
        "request_id": found.request_id,
        "url": found.url,
        "state": found.state,
        "needs": found.needs,
        "has": found.has,
        "reasons": list(found.reasons),
    }


def _subject(found: Judgement) -> dict[str, object]:
    opened = found.request.opened
    return {
        "model": opened.model,
        "version": opened.version,
        "environment": opened.environment,
        "by": found.request.by.printed_name,
    }


def _reasons(found: Judgement) -> str | None:
    return "; ".join(found.reasons) or None


def _print(found: Judgement | None, output: Output) -> None:
    facts = _facts(found)
    if output is Output.JSON:
        print_json(facts)
        return
    shown = facts | {"reasons": "; ".join(facts["reasons"]) or None}  # type: ignore[arg-type]
    print_table(tuple(shown), [tuple(shown.values())], output)
