"""Trying a candidate on a part of the traffic: begun, ramped up, paused, aborted, finished; always on the record.

deployd looks at every open trial each second and acts by the trial's rules, in the name of who began it and with
their rights of that moment. Without deployd people still can.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core import access
from core.access import Action, Actor
from core.deploy import messages, outbox, paths, rollout, traffic
from core.deploy.bake import refused_since, since
from core.deploy.canary_analysis import judge_traffic
from core.deploy.journal import Intent
from core.deploy.trial import (
    ArmTraffic,
    Judgement,
    Look,
    Step,
    Trial,
    TrialKind,
    TrialSpec,
    TrialState,
)
from core.deploy.trial_plan import check_change
from core.deploy.trial_store import TrialStore
from core.deploy.types import Endpoint, EndpointKey, Operation, OperationKind, OperationState, SlotTraffic
from core.errors import BadInput, Conflict, ModelDeskError
from core.ledger.serving_events import TrialEnded, TrialPaused, TrialResumed, TrialStarted

if TYPE_CHECKING:
    from core.deploy.desk import Desk
    from core.deploy.rollout import DeployPlan

LOOK_EVERY_S = 2.0
LONGEST_GAP_S = 10.0
"""More between two looks counts as this much: the clock was set forward, or nobody watched."""


def store_of(desk: Desk) -> TrialStore:
    """The trials of a workspace."""
    return TrialStore(desk.database)


def start(
    desk: Desk, plan: DeployPlan, spec: TrialSpec, actor: Actor, reason: str, key: str | None = None
) -> Operation:
    """Give the candidate its first share. Raises what a deployment raises; Conflict when a trial is under way."""
    check_start(desk, plan, spec, actor, key)
    trial_id = uuid.uuid4().hex[:10]
    _tell(
        desk,
        TrialStarted(
            model=plan.key.model,
            environment=plan.key.environment,
            reason=reason,
            trial_id=trial_id,
            trial=str(spec.kind),
            live_version=plan.from_version or 0,
            candidate=plan.to_version,
            steps=spec.shares,
            rules=_registered(spec) | {"allow_code": plan.allow_code},
        ),
        actor,
    )
    try:
        done = rollout.deploy(desk, plan, actor, reason, key)
    except ModelDeskError as error:
        _ended(desk, plan, trial_id, f"not started: {error.what}", actor)
        raise
    if done.repeated:
        _ended(desk, plan, trial_id, "not started: it was begun before under this key", actor)
        return done
    now = datetime.now(UTC)
    endpoint = desk.store.endpoint(plan.key)
    trial = Trial(
        id=trial_id,
        key=plan.key,
        kind=spec.kind,
        state=TrialState.RUNNING,
        live=plan.from_version or 0,
        candidate=plan.to_version,
        shares=spec.shares,
        past=(Step(share=plan.share, since=now),),
        baseline=_counters(desk, endpoint),
        started_at=now,
        by=actor,
        traffic=spec.traffic,
        outcomes=spec.outcomes,
        allow_code=plan.allow_code,
    )
    store_of(desk).add(trial)
    return done


def check_start(desk: Desk, plan: DeployPlan, spec: TrialSpec, actor: Actor, key: str | None = None) -> None:
    """Raise what :func:`start` would before it changes anything."""
    access.require(desk.settings, actor, Action.DEPLOY, plan.key.model, plan.key.environment)
    _check(plan, spec)
    if (running := store_of(desk).of(plan.key)) is not None and not _same(desk, running, key):
        raise Conflict(
            f"A {running.kind} of {plan.key} with v{running.candidate} is under way.",
            "Finish or abort it first: `trial status` shows where it stands.",
        )


def refuse_beside(desk: Desk, key: EndpointKey) -> None:
    """Raise Conflict while a trial of ``key`` has traffic: a plain deployment would end it without a word."""
    trial = store_of(desk).of(key)
    if trial is None or _overtaken(desk, trial):
        return
    raise Conflict(
        f"A {trial.kind} of {key} is under way: v{trial.candidate} has {trial.share} % of the traffic beside "
        f"v{trial.live}.",
        f"Finish it to give v{trial.candidate} all traffic, or abort it to deploy another version: "
        "`trial finish` and `trial abort`, or the Deploy page.",
    )


def look_at(desk: Desk, trial: Trial, now: datetime) -> Look:
    """The router's counters of both versions since the step began, judged. Raises Unavailable."""
    endpoint = desk.store.endpoint(trial.key)
    held, since = trial.look.held_s if trial.look else 0.0, trial.past[-1].since
    held += min(LONGEST_GAP_S, max(0.0, (now - (trial.look.at if trial.look else since)).total_seconds()))
    arms = _arms(desk, trial, endpoint, min(since.timestamp(), now.timestamp() - held))
    live, candidate = arms[trial.live], arms[trial.candidate]
    judgement, reason = judge_traffic(live, candidate, trial.traffic, held)
    return Look(at=now, judgement=judgement, reason=reason, live=live, candidate=candidate, held_s=held)


def advance(desk: Desk, trial: Trial, actor: Actor, reason: str = "") -> Trial:
    """The next step of the ramp. Raises Conflict on the last one, and what a deployment raises."""
    check_change(desk, "advance", trial, actor, reason)
    share = trial.next_share
    _move(desk, trial, share, actor, reason or f"ramp: {trial.share} % to {share} %")
    return _begin_step(desk, trial, share)


def finish(desk: Desk, trial: Trial, actor: Actor, reason: str) -> Trial:
    """The candidate takes all traffic and becomes live; the trial ends."""
    check_change(desk, "finish", trial, actor, reason)
    _move(desk, trial, 100, actor, reason)
    return _close(desk, trial, TrialState.FINISHED, reason, actor)


def abort(desk: Desk, trial: Trial, actor: Actor, reason: str) -> Trial:
    """All traffic goes back to live, the candidate is stopped, the trial ends. Needs a reason and no approval."""
    check_change(desk, "abort", trial, actor, reason)
    intent = Intent(
        key=trial.key, kind=OperationKind.DEPLOY, to_version=trial.live, actor=actor.name, reason=reason
    )
    operation = desk.journal.begin(intent)
    try:
        after, proof = _all_to_live(desk, trial, operation, actor)
    except ModelDeskError as error:
        desk.journal.finish(operation, OperationState.FAILED, error.what)
        raise
    except BaseException:
        desk.journal.finish(operation, OperationState.ABORTED, "Interrupted.")
        raise
    try:  # while it runs: afterwards deployd would take the trial for one that somebody else has ended
        return _close(desk, trial, TrialState.ABORTED, reason, actor)
    finally:
        desk.journal.finish(operation, OperationState.DONE, f"Trial ended: {proof}.")
        traffic.tidy(desk, after)
        outbox.deliver_soon(desk.ws, desk.outbox)


def pause(desk: Desk, trial: Trial, actor: Actor, reason: str) -> Trial:
    """The ramp stands still; the shares stay as they are."""
    check_change(desk, "pause", trial, actor, reason)
    after = store_of(desk).change(trial, replace(trial, state=TrialState.PAUSED, message=reason))
    _tell(desk, TrialPaused(**_place(trial), reason=reason, trial_id=trial.id), actor)
    return after


def resume(desk: Desk, trial: Trial, actor: Actor, reason: str) -> Trial:
    """The ramp goes on; the step begins anew, so that what made it stand still is not counted again."""
    check_change(desk, "resume", trial, actor, reason)
    after = _begin_step(desk, trial, trial.share)
    _tell(desk, TrialResumed(**_place(trial), reason=reason, trial_id=trial.id), actor)
    return after


def tick(desk: Desk, say: Callable[[str], None], now: datetime) -> None:
    """What the rules want of every open trial; one that cannot go on is paused with the reason."""
    busy = {operation.key for operation in desk.journal.running()}
    for trial in store_of(desk).open_trials():
        if trial.key in busy:
            continue  # whoever acts there may be about to end it
        if trial.look is not None and 0 <= (now - trial.look.at).total_seconds() < LOOK_EVERY_S:
            continue  # a look of the future is none: the clock was set back
        if _overtaken(desk, trial):
            _close(desk, trial, TrialState.OVERTAKEN, "another operation moved the traffic", by_rule(trial))
            continue
        try:
            _act(desk, trial, say, now)
        except Conflict as error:
            say(f"trial of {trial.key}: {error.what}")


def trial_facts(trial: Trial) -> dict[str, Any]:
    """A trial as plain values, for the command line."""
    look = trial.look
    return {
        "trial_id": trial.id,
        "model": trial.key.model,
        "environment": trial.key.environment,
        "kind": str(trial.kind),
        "state": str(trial.state),
        "live": trial.live,
        "candidate": trial.candidate,
        "share": trial.share if trial.open else 0,
        "next_share": trial.next_share if trial.open else None,
        "since": trial.past[-1].since.isoformat(),
        "started_at": trial.started_at.isoformat(),
        "by": trial.by.printed_name,
        "judgement": str(look.judgement) if look else None,
        "reason": trial.message or (look.reason if look else ""),
        "traffic": {"live": asdict(look.live), "candidate": asdict(look.candidate)} if look else None,
    }


def by_rule(trial: Trial) -> Actor:
    """Who a step of the ramp is recorded under: who began the trial, by its rules."""
    return replace(trial.by, display_name=f"{trial.by.display_name or trial.by.name}, by the trial's rules")


def _act(desk: Desk, trial: Trial, say: Callable[[str], None], now: datetime) -> None:
    look = look_at(desk, trial, now)
    actor = by_rule(trial)
    trial = store_of(desk).change(trial, replace(trial, look=look))
    if look.judgement is Judgement.ABORT:
        say(f"trial of {trial.key} aborted: {look.reason}")
        abort(desk, trial, actor, f"aborted by rule: {look.reason}")
    elif trial.state is TrialState.PAUSED:
        return
    elif look.judgement is Judgement.PAUSE:
        say(f"trial of {trial.key} paused: {look.reason}")
        pause(desk, trial, actor, look.reason)
    elif look.judgement is Judgement.CONTINUE and trial.kind is TrialKind.CANARY and trial.next_share:
        try:
            advance(desk, trial, actor)
        except ModelDeskError as error:
            pause(desk, trial, actor, error.what)


def _move(desk: Desk, trial: Trial, share: int, actor: Actor, reason: str) -> None:
    if _overtaken(desk, trial):
        raise Conflict(
            f"v{trial.candidate} has no share of the traffic any more: another operation has moved it.",
            "Nothing was changed. Look at what serves now.",
        )
    where = trial.key.model, trial.key.environment
    plan = rollout.plan_deploy(
        desk,
        trial.key.model,
        trial.candidate,
        trial.key.environment,
        expects=trial.live,
        share=share,
        # Asked again: who may not allow code can still move a candidate that runs, but not start it anew.
        allow_code=trial.allow_code
        and access.decide(desk.settings, actor, Action.OVERRIDE_GATE, *where).allowed,
    )
    rollout.deploy(desk, plan, actor, reason)


def _begin_step(desk: Desk, trial: Trial, share: int) -> Trial:
    """The trial running at ``share``, counted from now."""
    after = replace(
        trial,
        state=TrialState.RUNNING,
        past=(*trial.past, Step(share=share, since=datetime.now(UTC))),
        baseline=_counters(desk, desk.store.endpoint(trial.key)),
        look=None,
        message="",
    )
    return store_of(desk).change(trial, after)


def _all_to_live(desk: Desk, trial: Trial, operation: Operation, actor: Actor) -> tuple[Endpoint, str]:
    """All traffic at live; gives back the endpoint then, and the sentence of proof."""
    endpoint = desk.store.endpoint(trial.key)
    live = endpoint.slot(endpoint.live)
    after = desk.journal.decide(
        operation,
        live=live.name,
        previous=endpoint.previous,
        weights=traffic.only(live.name),
        messages=messages.canary(operation, actor, {live.version: 1.0}),
    )
    traffic.switch(desk, after)
    proof = traffic.verify(desk, after, live)
    traffic.keep(desk)
    return after, proof


def _close(desk: Desk, trial: Trial, state: TrialState, reason: str, actor: Actor) -> Trial:
    from core.deploy.ab_outcomes import report_facts

    now = datetime.now(UTC)
    after = store_of(desk).change(trial, replace(trial, state=state, message=reason, ended_at=now))
    facts = report_facts(desk.ws, trial, now)  # reads the log of the whole trial: nobody may come between
    event = TrialEnded(**_place(trial), reason=reason, trial_id=trial.id, outcome=str(state), report=facts)
    _tell(desk, event, actor)
    return after


def _overtaken(desk: Desk, trial: Trial) -> bool:
    endpoint = desk.store.endpoint(trial.key)
    candidate = endpoint.slot_of(trial.candidate) if endpoint else None
    shares = candidate is not None and bool(endpoint.weights.get(candidate.name))
    return not shares or endpoint.live_version != trial.live


def _arms(desk: Desk, trial: Trial, endpoint: Endpoint, begun: float) -> dict[int, ArmTraffic]:
    """Both versions' counters since the step began, with latencies of requests since ``begun`` (a Unix time)."""
    counted, recent = desk.engine.observe(endpoint), desk.engine.recent()
    own = f"e{paths.endpoint_id(trial.key)}"
    found = {}
    for version in (trial.live, trial.candidate):
        slot = endpoint.slot_of(version)
        if slot is None or slot.name not in counted:
            found[version] = ArmTraffic(requests=0, failed=0)
            continue
        before = trial.baseline.get(str(slot.name))
        now = counted[slot.name]
        begin = SlotTraffic(**before) if before else now
        requests, failed = since(begin, now)
        # MLflow answers 400 when a model's own code fails; both versions get the same callers, so a bad request
        # of theirs counts alike.
        failed += refused_since(begin, now)
        times = sorted(
            r.milliseconds
            for r in recent
            if r.backend == own and r.server == slot.name and r.at >= begun and r.status >= 0
        )
        found[version] = ArmTraffic(
            requests=requests,
            failed=failed,
            p50_ms=float(times[len(times) // 2]) if times else None,
            p99_ms=float(times[min(len(times) - 1, int(len(times) * 0.99))]) if times else None,
        )
    return found


def _counters(desk: Desk, endpoint: Endpoint) -> dict[str, Any]:
    return {str(name): asdict(counted) for name, counted in desk.engine.observe(endpoint).items()}


def _check(plan: DeployPlan, spec: TrialSpec) -> None:
    ramp = spec.shares
    if not ramp or any(not 1 <= share < 100 for share in ramp) or list(ramp) != sorted(set(ramp)):
        raise BadInput(
            f"A ramp of {', '.join(map(str, ramp)) or 'nothing'} makes no sense.",
            "Give rising shares of 1 to 99.",
        )
    if plan.share != ramp[0]:
        raise BadInput(f"The trial begins with {ramp[0]} %, the plan with {plan.share} %.", "Plan it again.")
    if spec.outcomes.size is not None and spec.outcomes.size < 1:
        raise BadInput("A horizon needs a size.", "Give the outcomes per version, such as 2000.")


def _registered(spec: TrialSpec) -> dict[str, Any]:
    return {"traffic": asdict(spec.traffic), "outcomes": asdict(spec.outcomes)}


def _same(desk: Desk, running: Trial, key: str | None) -> bool:
    """A repeated request under one key finds its own trial under way: the journal answers it."""
    earlier = desk.journal.under_key(key) if key else None
    return earlier is not None and earlier.to_version == running.candidate


def _ended(desk: Desk, plan: DeployPlan, trial_id: str, why: str, actor: Actor) -> None:
    event = TrialEnded(
        model=plan.key.model,
        environment=plan.key.environment,
        reason=why,
        trial_id=trial_id,
        outcome="not started",
    )
    _tell(desk, event, actor)


def _place(trial: Trial) -> dict[str, str]:
    return {"model": trial.key.model, "environment": trial.key.environment}


def _tell(desk: Desk, event: Any, actor: Actor) -> None:
    desk.ws.ledger.append(event, actor)
