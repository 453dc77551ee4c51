"""``deploy`` and ``rollback``: what serves, changed and read back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import (
    HERE,
    DryRunOption,
    EnvironmentOption,
    KeyOption,
    ModelArgument,
    Output,
    OutputOption,
    ReasonOption,
    WorkspaceOption,
    end_rehearsal,
    log,
    print_json,
    print_lines,
    print_table,
)

if TYPE_CHECKING:
    from core.deploy.release import Released, ReleasePlan
    from core.workspace import Workspace


def deploy(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The version to make live.")],
    environment: EnvironmentOption = "production",
    expect_current: Annotated[
        int | None, typer.Option("--expect-current", help="Refuse (exit 7) unless this version is live.")
    ] = None,
    idempotency_key: KeyOption = None,
    canary: Annotated[
        int,
        typer.Option(
            "--canary",
            help="Percent of the traffic for the new version, which then ramps up by rule; 100 for all.",
        ),
    ] = 100,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Serve a pickled model; needs the approver role.")
    ] = False,
    reason: ReasonOption = "",
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Go on although the alias was moved outside.")
    ] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a version, start it, switch to it and read back who answers.

    Exit code: 0 done, 3 a check failed, 5 approval missing, 6 refused or frozen, 7 the state has changed,
    8 the files are not those that were recorded. What was live stays live unless the exit code is 0.

    Example: python -m core deploy diagnosis-risk --version 9 --expect-current 8 --output json
    """
    from core.deploy import release
    from core.deploy.trial import canary as first_share
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    ramp = first_share(canary) if canary != 100 else None
    plan = release.plan_deploy(
        ws, model, version, environment, expects=expect_current, trial=ramp, allow_code=allow_code
    )
    _run(ws, plan, reason, idempotency_key, acknowledge, dry_run, output)


def rollback(
    model: ModelArgument,
    reason: Annotated[str, typer.Option("--reason", help="What is wrong, for the ledger.")],
    to: Annotated[str, typer.Option("--to", help="last-good, or the number of a version.")] = "last-good",
    environment: EnvironmentOption = "production",
    idempotency_key: KeyOption = None,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Go on although the alias was moved outside.")
    ] = False,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go back to the last version that really served, and freeze promotions until someone lifts the freeze.

    Works while MLflow, deployd and the dashboard are down, and before a running deployment. Exit code: 0 done,
    6 no right, 7 someone just did it, 8 the target's files were changed.

    Example: python -m core rollback diagnosis-risk --reason "scores drifted" --output json
    """
    from core.deploy import release
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    if not dry_run and (before := release.done_before(ws, idempotency_key)):
        _print(before, output)
        return
    plan = release.plan_rollback(ws, model, environment, to)
    _run(ws, plan, reason, idempotency_key, acknowledge, dry_run, output)


def drill(
    model: ModelArgument,
    environment: Annotated[str, typer.Option("--environment", help="Where to rehearse.")] = "staging",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Rehearse a rollback in staging: there and back again with requests under way, measured and recorded.

    Exit code: 0 done, 1 a version did not answer, 2 nothing to rehearse with, 6 refused, 7 an operation runs.

    Example: python -m core drill diagnosis-risk --output json
    """
    from datetime import UTC, datetime

    from core.access import local_actor
    from core.deploy import drill as rehearsal
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    plan = rehearsal.plan_drill(ws.deployments, model, environment)
    facts = {"model": model, "environment": environment, "live": plan.live, "target": plan.target}
    if dry_run:
        facts |= {"steps": list(plan.steps), "dry_run": True}
    else:
        record = rehearsal.drill(ws.deployments, plan, local_actor(ws.settings))
        facts |= {name: record.payload[name] for name in ("operation_id", "seconds", "requests", "failed")}
        log(rehearsal.drilled_words(record, datetime.now(UTC)))
    print_lines(facts, output)


def _run(
    ws: Workspace,
    plan: ReleasePlan,
    reason: str,
    key: str | None,
    acknowledge: bool,
    dry_run: bool,
    output: Output,
) -> None:
    from core.access import local_actor
    from core.deploy import release

    if dry_run:
        _print_plan(plan, output)
        end_rehearsal(plan.blocked)
        return
    _print(
        release.carry_out(ws, plan, local_actor(ws.settings), reason, key, acknowledged=acknowledge), output
    )
    sys.stdout.flush()
    for problem in release.tell(ws):
        log(f"not told yet, deployd will try again: {problem}")


def _print(done: Released, output: Output) -> None:
    if output is Output.JSON:
        print_json(
            {
                "operation_id": done.operation_id,
                "model": done.model,
                "environment": done.environment,
                "from_version": done.from_version,
                "to_version": done.to_version,
                "verified": done.verified,
                "seconds": dict(done.seconds),
                "steps": [dict(step) for step in done.steps],
            }
        )
        return
    rows = [[step["name"], step["state"], step.get("seconds"), step.get("detail", "")] for step in done.steps]
    print_table(["step", "state", "seconds", "detail"], rows, output)
    log(done.sentence)


def _print_plan(plan: ReleasePlan, output: Output) -> None:
    blocked = plan.blocked.what if plan.blocked else None
    if output is Output.JSON:
        document = {
            "model": plan.model,
            "environment": plan.environment,
            "verb": plan.verb,
            "warm": plan.warm,
        }
        document |= {"from_version": plan.from_version, "to_version": plan.to_version, "blocked": blocked}
        print_json(document | {"steps": list(plan.steps), "warnings": list(plan.warnings), "dry_run": True})
        return
    rows = [[number, step] for number, step in enumerate((*plan.steps, *plan.warnings), 1)]
    print_table(["#", plan.sentence], rows, output)
    if plan.blocked:
        log(f"It would be refused: {blocked}")
