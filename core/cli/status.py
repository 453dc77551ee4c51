"""``status``, ``history``, ``as-of`` and ``reconcile``: what serves, what served, and who decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    moment,
    print_json,
    print_table,
)
from core.errors import BadInput, ExitCode, Unavailable

if TYPE_CHECKING:
    from core.deploy.types import EndpointStatus
    from core.registry.standing import Standing
    from core.workspace import Workspace


def status(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """What is live per model and environment: the ledger's word, MLflow's and the serving engine's.

    While MLflow is down it shows what the ledger last recorded, and says so on stderr.

    Example: python -m core status diagnosis-risk --output json
    """
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    endpoints = [_endpoint(standing, seen) for standing, seen in _seen(ws, model, known=True)]
    if output is Output.JSON:
        print_json({"endpoints": endpoints})
        return
    columns = ["model", "environment", "live", "since", "by", "alias", "serving", "in sync", "frozen"]
    rows = [
        [
            item["model"],
            item["environment"],
            (item["live"] or {}).get("version"),
            (item["live"] or {}).get("since"),
            (item["live"] or {}).get("by"),
            item["registry_says"],
            item["serving_says"],
            item["in_sync"],
            item["frozen"],
        ]
        for item in endpoints
    ]
    print_table(columns, rows, output)


def history(
    model: ModelArgument, workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE
) -> None:
    """Everything that was decided about a model, oldest first.

    Example: python -m core history diagnosis-risk --output markdown
    """
    from core.registry.words import event_facts
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    records = ws.ledger.records(model=model)
    if not records:
        ws.registry.model(model)
    events = [event_facts(record) for record in records]
    if output is Output.JSON:
        print_json({"events": events})
        return
    columns = ["at", "actor", "sentence", "reason"]
    # The intent before each outcome is for auditors: the JSON has it.
    shown = [event for event in events if event["kind"] != "operation_started"]
    print_table(columns, [[event[name] for name in columns] for event in shown], output)


def as_of(
    date: Annotated[
        str, typer.Argument(help="A day (its end, UTC) or a time: 2026-03-03, 2026-03-03T09:00Z.")
    ],
    model: ModelArgument,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Which version was live at a time in the past, and who approved it.

    Example: python -m core as-of 2026-03-03 diagnosis-risk
    """
    from core.registry.catalogue import as_of as live_then
    from core.workspace import open_workspace

    at = moment(date)
    found = live_then(open_workspace(workspace), model, at)
    if output is Output.JSON:
        environments = {
            item.environment: {
                "version": item.service.version,
                "approved_by": list(item.approved_by),
                "since": item.service.since.isoformat(),
                "by": item.service.by.printed_name,
            }
            if item.service
            else None
            for item in found
        }
        print_json({"model": model, "at": at.isoformat(), "environment": environments})
        return
    rows = [
        [
            item.environment,
            item.service and item.service.version,
            item.service and item.service.since,
            item.service and item.service.by.printed_name,
            ", ".join(item.approved_by) or None,
        ]
        for item in found
    ]
    print_table(["environment", "version", "since", "by", "approved by"], rows, output)


def reconcile(
    repair: Annotated[
        str | None,
        typer.Option("--repair", metavar="MODEL", help="Put this model's alias back to the ledger's word."),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="MODEL", help="Take what MLflow says as the new live version."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Look at this model alone.")] = None,
    environment: EnvironmentOption = "production",
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ledger, alias and serving side by side; exit code 9 when they differ. Moves from outside are recorded.

    Example: python -m core reconcile --repair diagnosis-risk --reason "moved by hand in MLflow"
    """
    from core.access import local_actor
    from core.registry import standing
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    if repair and accept:
        raise BadInput("--repair and --accept are opposites.", "Give one of them.")
    if dry_run:
        log(standing.repair_plan(ws, repair or accept, environment, accept=accept is not None))
    else:
        for record in standing.detect_outside_moves(ws, standing.standings(ws, model)):
            log(f"{record.model}: {record.payload['alias']} was moved outside Model Desk.")
        if name := repair or accept:
            actor = local_actor(ws.settings)
            standing.repair(ws, name, environment, actor, reason, accept=accept is not None)
    items = [_item(found, seen) for found, seen in _seen(ws, model)]
    if output is Output.JSON:
        print_json({"items": items})
    else:
        columns = ["model", "environment", "ledger", "alias", "serving", "in_sync"]
        print_table(columns, [[item[name] for name in columns] for item in items], output)
        for item in items:
            for words in item["stages"]:
                log(f"{item['model']} in {item['environment']}: {words}.")
    if not all(item["in_sync"] for item in items):
        raise typer.Exit(ExitCode.OUT_OF_SYNC)


def _seen(
    ws: Workspace, model: str | None, *, known: bool = False
) -> list[tuple[Standing, EndpointStatus | None]]:
    """Standings with what serves; with ``known``, the ledger's word alone while MLflow is down."""
    from core.deploy.observe import observe
    from core.registry.standing import last_known, standings

    try:
        found = standings(ws, model)
    except Unavailable as error:
        found = last_known(ws, model) if known else ()
        if not found:
            raise
        log(f"{error.what} Shown is what the ledger last recorded.")
    observed = {(item.key.model, item.key.environment): item for item in observe(ws)}
    return [(item, observed.get((item.model, item.environment))) for item in found]


def _endpoint(standing: Standing, seen: EndpointStatus | None) -> dict[str, Any]:
    live, version = standing.live, standing.live.version if standing.live else standing.alias_version
    previous = standing.previous
    return {
        "model": standing.model,
        "environment": standing.environment,
        "live": {
            "version": version,
            "since": live.since.isoformat() if live else None,
            "by": live.by.printed_name if live else None,
            "sha256": (seen.live_sha256 if seen else None) or (live.sha256 if live else "") or None,
        },
        "previous": {"version": previous.version, "warm": bool(seen and seen.previous_warm)}
        if previous
        else None,
        "traffic": {str(number): share for number, share in (seen.traffic if seen else {}).items()},
        "health": str(seen.health) if seen else "not served",
        "registry_says": standing.alias_version,
        "serving_says": seen.serving_says if seen else None,
        "in_sync": _item(standing, seen)["in_sync"] if standing.answered else None,
        "frozen": standing.freeze is not None,
    }


def _item(standing: Standing, seen: EndpointStatus | None) -> dict[str, Any]:
    decided = standing.live.version if standing.live else None
    served = seen.serving_says if seen else None
    agrees = served is None or served == (decided if decided is not None else standing.alias_version)
    return {
        "model": standing.model,
        "environment": standing.environment,
        "ledger": decided,
        "alias": standing.alias_version,
        "serving": served,
        "in_sync": standing.in_sync and agrees,
        "stages": list(standing.stages_said),
        "unfinished": standing.unfinished.payload["operation_id"] if standing.unfinished else None,
    }
