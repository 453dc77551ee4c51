"""``trial``: a candidate on a part of the traffic, from its first share to its end; and a replay without traffic."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

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
    log,
    print_json,
    print_lines,
    print_table,
)

if TYPE_CHECKING:
    from core.deploy.release import ReleasePlan
    from core.deploy.trial import Trial
    from core.workspace import Workspace

app = typer.Typer(help="Try a version on a part of the traffic: canary and A/B.", no_args_is_help=True)


@app.command("start")
def start(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The candidate.")],
    kind: Annotated[
        str, typer.Option("--kind", help="canary (is it safe?) or ab (is it better?).")
    ] = "canary",
    share: Annotated[
        list[int] | None,
        typer.Option("--share", help="Percent; repeat it for a ramp. Default: 10, 25, 50; for ab: 50."),
    ] = None,
    min_requests: Annotated[int, typer.Option("--min-requests", help="Requests a step needs.")] = 200,
    hold: Annotated[float, typer.Option("--hold", help="Seconds a step lasts at least.")] = 120,
    metric: Annotated[
        str, typer.Option("--metric", help="accuracy or brier, from late labels.")
    ] = "accuracy",
    effect: Annotated[float, typer.Option("--effect", help="The difference that would matter.")] = 0.03,
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of a false alarm that is accepted.")] = 0.05,
    size: Annotated[
        int | None,
        typer.Option("--size", help="Outcomes per version of a fixed horizon; left out: always valid."),
    ] = None,
    environment: EnvironmentOption = "production",
    expect_current: Annotated[
        int | None, typer.Option("--expect-current", help="Refuse (exit 7) unless this version is live.")
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Serve a pickled model; needs the approver role.")
    ] = False,
    idempotency_key: KeyOption = None,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Give a version its first share. Callers that send X-Assign keep their version; a higher share keeps them too.

    What is registered here (metric, effect, size) is on the ledger before the first outcome and never changes.
    Exit codes as `deploy`.

    Example: python -m core trial start diagnosis-risk --version 9 --kind ab --metric brier --effect 0.01
    """
    from core.access import local_actor
    from core.deploy import release, trials
    from core.deploy.trial_plan import start_words
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    spec = _spec(kind, share, min_requests, hold, metric, effect, alpha, size)
    plan = release.plan_deploy(
        ws, model, version, environment, expects=expect_current, trial=spec, allow_code=allow_code
    )
    if dry_run:
        trials.check_start(ws.deployments, plan.inner, spec, local_actor(ws.settings), idempotency_key)
        _print_start(plan, output)
        return
    for words in start_words(spec):
        log(words)
    done = release.carry_out(ws, plan, local_actor(ws.settings), reason, idempotency_key)
    log(f"v{done.to_version} has {plan.trial.shares[0]} % of the traffic.")
    _print(ws, _needed(ws, model, environment), output)


@app.command("status")
def status(
    model: ModelArgument,
    environment: EnvironmentOption = "production",
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Where the newest trial stands: shares, the router's counters of both versions, and the comparison.

    Example: python -m core trial status diagnosis-risk --output json
    """
    from core.deploy import trials
    from core.errors import NotFound
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    found = trials.store_of(ws.deployments).last(ws.deployments.key(model, environment))
    if found is None:
        raise NotFound(f"{model} in {environment} never had a trial.", "`trial start` begins one.")
    _print(ws, found, output)


@app.command("advance")
def advance(
    model: ModelArgument,
    environment: EnvironmentOption = "production",
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go to the next share of the ramp now, without waiting for the rules.

    Example: python -m core trial advance diagnosis-risk --reason "looks well"
    """
    _change("advance", model, environment, reason, dry_run, workspace, output)


@app.command("pause")
def pause(
    model: ModelArgument,
    reason: ReasonOption = "",
    environment: EnvironmentOption = "production",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let the ramp stand still; the shares stay as they are.

    Example: python -m core trial pause diagnosis-risk --reason "ward asks to wait"
    """
    _change("pause", model, environment, reason, dry_run, workspace, output)


@app.command("resume")
def resume(
    model: ModelArgument,
    reason: ReasonOption = "",
    environment: EnvironmentOption = "production",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let the ramp go on; the step begins anew.

    Example: python -m core trial resume diagnosis-risk --reason "the spike was a deployment elsewhere"
    """
    _change("resume", model, environment, reason, dry_run, workspace, output)


@app.command("abort")
def abort(
    model: ModelArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = "production",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send all traffic back to live and stop the candidate; freezes nothing.

    Example: python -m core trial abort diagnosis-risk --reason "odd scores"
    """
    _change("abort", model, environment, reason, dry_run, workspace, output)


@app.command("finish")
def finish(
    model: ModelArgument,
    reason: ReasonOption = "",
    environment: EnvironmentOption = "production",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """The candidate takes all traffic and becomes live; the version before stays warm.

    Example: python -m core trial finish diagnosis-risk --reason "better, p = 0.003"
    """
    _change("finish", model, environment, reason, dry_run, workspace, output)


@app.command("shadow")
def shadow(
    model: ModelArgument,
    version: Annotated[int, typer.Option("--version", help="The candidate.")],
    last: Annotated[int, typer.Option("--last", help="How many logged requests.")] = 500,
    environment: EnvironmentOption = "production",
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask a version that has no traffic what live was asked, and count the answers that differ; no row is shown.

    Example: python -m core trial shadow diagnosis-risk --version 9 --last 500
    """
    from core.access import local_actor
    from core.deploy.shadow import planned, replay, sentences
    from core.privacy import shown_count
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    key = ws.deployments.key(model, environment)
    if dry_run:
        plan, rows = planned(ws.deployments, key, version, local_actor(ws.settings), last=last)
        facts = {"model": model, "environment": environment, "candidate": version, "live": plan.from_version}
        steps = list(sentences(plan.from_version, version, len(rows)))
        print_lines(facts | {"asked": shown_count(len(rows)), "steps": steps, "dry_run": True}, output)
        return
    found = replay(ws.deployments, key, version, local_actor(ws.settings), last=last)
    facts = {"model": model, "environment": environment} | found.facts()
    print_lines(facts, output)
    log(found.sentence)


def _change(
    verb: str, model: str, environment: str, reason: str, dry_run: bool, workspace: Any, output: Output
) -> None:
    from core.access import local_actor
    from core.deploy import release, trials
    from core.deploy.trial_plan import check_change, sentences
    from core.workspace import open_workspace

    ws = open_workspace(workspace)
    trial, actor = _needed(ws, model, environment), local_actor(ws.settings)
    if dry_run:
        check_change(ws.deployments, verb, trial, actor, reason)
        _print(ws, trial, output, {"steps": list(sentences(verb, trial)), "dry_run": True})
        return
    after = getattr(trials, verb)(ws.deployments, trial, actor, reason)
    _print(ws, after, output)
    for problem in release.tell(ws):
        log(f"not told yet, deployd will try again: {problem}")


def _needed(ws: Workspace, model: str, environment: str) -> Trial:
    from core.deploy import trials

    return trials.store_of(ws.deployments).needed(ws.deployments.key(model, environment))


def _spec(
    kind: str,
    share: list[int] | None,
    min_requests: int,
    hold: float,
    metric: str,
    effect: float,
    alpha: float,
    size: int | None,
) -> Any:
    from core.deploy.trial import Metric, OutcomeRules, TrafficRules, TrialKind, TrialSpec
    from core.errors import BadInput

    kinds = {"canary": TrialKind.CANARY, "ab": TrialKind.AB}
    if kind not in kinds or metric not in tuple(Metric):
        raise BadInput(
            f"There is no trial '{kind}' with the metric '{metric}'.", "canary or ab; accuracy or brier."
        )
    if not (0 < alpha < 1 and effect > 0):
        raise BadInput(
            "alpha is between 0 and 1, and the effect is above 0.", "The defaults are 0.05 and 0.03."
        )
    usual = (50,) if kind == "ab" else TrialSpec().shares
    return TrialSpec(
        kind=kinds[kind],
        shares=tuple(share) if share else usual,
        traffic=TrafficRules(min_requests=min_requests, hold_s=hold),
        outcomes=OutcomeRules(metric=Metric(metric), alpha=alpha, effect=effect, size=size),
    )


def _print_start(plan: ReleasePlan, output: Output) -> None:
    facts = {
        "model": plan.model,
        "environment": plan.environment,
        "kind": str(plan.trial.kind),
        "live": plan.from_version,
        "candidate": plan.to_version,
        "share": plan.trial.shares[0],
        "next_share": next(iter(plan.trial.shares[1:]), None),
        "blocked": plan.blocked.what if plan.blocked else None,
        "steps": list(plan.steps),
        "dry_run": True,
    }
    print_lines(facts, output)
    if plan.blocked:
        log(f"It would be refused: {plan.blocked.what}")


def _print(ws: Workspace, trial: Trial, output: Output, more: dict[str, Any] | None = None) -> None:
    from core.deploy.ab_outcomes import report_facts
    from core.deploy.trials import trial_facts

    facts = trial_facts(trial) | {"comparison": report_facts(ws, trial, datetime.now(UTC))} | (more or {})
    if output is Output.JSON:
        print_json(facts)
        return
    rows = [(name, value) for name, value in facts.items() if name != "comparison"]
    rows += [(f"comparison: {name}", value) for name, value in facts["comparison"].items()]
    print_table(["what", "value"], rows, output)
