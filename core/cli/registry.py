"""``registry`` and ``promote``: models, versions, and moving what production means."""

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
    end_rehearsal,
    log,
    print_facts,
    print_json,
    print_table,
    rehearsable,
)

if TYPE_CHECKING:
    from core.registry.plans import Plan
    from core.registry.promotion import Outcome

app = typer.Typer(help="Registered models and their versions.", no_args_is_help=True)


@app.command("list")
def list_models(workspace: WorkspaceOption = HERE, output: OutputOption = Output.TABLE) -> None:
    """Every registered model with its aliases.

    Example: python -m core registry list
    """
    from core.workspace import open_workspace

    models = open_workspace(workspace).registry.models()
    if output is Output.JSON:
        facts = [
            {
                "name": m.name,
                "versions": m.versions_count,
                "latest": m.latest_version,
                "aliases": dict(m.aliases),
            }
            for m in models
        ]
        print_json({"models": facts})
        return
    rows = [
        [
            m.name,
            m.versions_count,
            m.latest_version,
            ", ".join(f"{a} v{v}" for a, v in m.aliases.items()) or None,
        ]
        for m in models
    ]
    print_table(["model", "versions", "latest", "aliases"], rows, output)


@app.command()
def versions(
    model: ModelArgument,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """The versions of a model, newest first.

    Example: python -m core registry versions diagnosis-risk --output json
    """
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    found, archived = ws.registry.versions(model), ws.ledger.state().archived
    if output is Output.JSON:
        facts = [
            {
                "version": item.version,
                "aliases": list(item.aliases),
                "run_id": item.run_id,
                "created_at": item.created_at.isoformat() if item.created_at else None,
                "status": item.status,
                "archived": (model, item.version) in archived,
                "source": item.source,
                "tags": dict(item.tags),
            }
            for item in found
        ]
        print_json({"model": model, "versions": facts})
        return
    rows = [
        [
            v.version,
            ", ".join(v.aliases) or None,
            v.run_id,
            v.created_at,
            "ARCHIVED" if (model, v.version) in archived else v.status,
        ]
        for v in found
    ]
    print_table(["version", "aliases", "run", "created", "status"], rows, output)


@app.command()
@rehearsable
def delete(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The version to delete, for good.")],
    reason: ReasonOption,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete a version that nothing needs: refused (6) for what serves, served before, has an alias or a request.

    Example: python -m core registry delete diagnosis-risk --version 2 --reason "trained on wrong units"
    """
    from core.access import local_actor
    from core.registry.retirement import delete_version
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = delete_version(ws, model, version, local_actor(ws.settings), reason)
    kept = ws.ledger.rehearses
    print_facts({"model": model, "version": version, "deleted": not kept, "seq": record.seq}, output)


@app.command()
@rehearsable
def archive(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The version to take out of use.")],
    reason: ReasonOption,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a version out of use until it is restored: refused (6) for what `registry delete` refuses.

    Example: python -m core registry archive diagnosis-risk --version 4 --reason "wrong units"
    """
    from core.access import local_actor
    from core.registry.retirement import archive_version
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = archive_version(ws, model, version, local_actor(ws.settings), reason)
    print_facts({"model": model, "version": version, "archived": True, "seq": record.seq}, output)


@app.command()
@rehearsable
def restore(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The archived version.")],
    reason: ReasonOption,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make an archived version a candidate again.

    Example: python -m core registry restore diagnosis-risk --version 5 --reason "to be compared again"
    """
    from core.access import local_actor
    from core.registry.retirement import restore_version
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    record = restore_version(ws, model, version, local_actor(ws.settings), reason)
    print_facts({"model": model, "version": version, "archived": False, "seq": record.seq}, output)


def promote(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The version to promote.")],
    environment: EnvironmentOption = "production",
    expect_current: Annotated[
        int | None, typer.Option("--expect-current", help="Refuse (exit 7) unless this version is live.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key acts once; a CI job's id, say.")
    ] = None,
    reason: ReasonOption = "",
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Go on although the alias was moved outside.")
    ] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Move an environment's alias to a version, and record it; where an engine serves, use `deploy`.

    Exit code: 0 done, 5 approval missing, 6 refused or frozen, 7 the state has changed.

    Example: python -m core promote diagnosis-risk --version 9 --expect-current 8 --reason "better recall"
    """
    from core.access import local_actor
    from core.registry import promotion
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    done = None if dry_run else promotion.outcome_under(ws, promotion.PROMOTE, idempotency_key)
    if done is None or (done.model, done.environment, done.to_version) != (model, environment, version):
        plan = promotion.plan_promotion(ws, model, version, environment, expect_current)
        if dry_run:
            _print_plan(plan, output)
            end_rehearsal(plan.blocked)
            return
        actor = local_actor(ws.settings)
        done = promotion.carry_out(ws, plan, actor, reason, idempotency_key, acknowledged=acknowledge)
    _print_outcome(done, output)


def _print_plan(plan: Plan, output: Output) -> None:
    blocked = plan.blocked.what if plan.blocked else None
    checks = [{"name": c.name, "verdict": c.verdict, "detail": c.detail} for c in plan.checks]
    if output is Output.JSON:
        document = {"model": plan.model, "environment": plan.environment, "verb": plan.verb}
        document |= {"from_version": plan.from_version, "to_version": plan.to_version, "blocked": blocked}
        print_json(document | {"checks": checks, "steps": list(plan.changes), "dry_run": True})
    else:
        rows = [[check["name"], check["verdict"], check["detail"]] for check in checks]
        rows += [["change", "-", change] for change in plan.changes]
        print_table(["what", "verdict", "detail"], rows, output)
    log(plan.sentence + (f" It would be refused: {blocked}" if blocked else " Nothing was changed."))


def _print_outcome(done: Outcome, output: Output) -> None:
    if output is Output.JSON:
        print_json(
            {
                "operation_id": done.operation_id,
                "model": done.model,
                "environment": done.environment,
                "from_version": done.from_version,
                "to_version": done.to_version,
                "verified": done.verified,
                "seconds": done.seconds,
                "steps": list(done.steps),
                "repeated": done.repeated,
            }
        )
    else:
        print_table(["step"], [[step] for step in done.steps], output)
    log(done.sentence)
