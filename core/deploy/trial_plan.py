"""What an act on a trial would do, in sentences, and every check that it makes before it changes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from core import access
from core.access import Action, Actor
from core.deploy.trial import OutcomeRules, Trial, TrialKind, TrialSpec, TrialState
from core.errors import BadInput, Conflict, NotFound
from core.registry.gatekeeper import basis_for

if TYPE_CHECKING:
    from core.deploy.desk import Desk

NEEDS: Mapping[str, Action] = {
    "advance": Action.DEPLOY,
    "pause": Action.DEPLOY,
    "resume": Action.DEPLOY,
    "finish": Action.DEPLOY,
    "abort": Action.ROLL_BACK,
}
"""The verbs, and the right that each needs."""

NEEDS_REASON = frozenset({"abort"})
"""The verbs that are refused without a reason."""

_SENTENCES: Mapping[str, Callable[[Trial], tuple[str, ...]]] = {
    "advance": lambda t: (f"v{t.candidate} gets {t.next_share} % of the traffic; who has it keeps it.",),
    "pause": lambda t: (f"The ramp stands still; v{t.candidate} keeps {t.share} %.",),
    "resume": lambda t: (f"The ramp goes on from {t.share} %; the step begins anew.",),
    "finish": lambda t: (f"v{t.candidate} becomes live; v{t.live} stays warm to go back to.",),
    "abort": lambda t: (
        f"All traffic goes back to v{t.live}; v{t.candidate} is stopped. Nothing is frozen.",
    ),
}


def sentences(verb: str, trial: Trial) -> tuple[str, ...]:
    """What ``verb`` does to the trial."""
    return _SENTENCES[verb](trial)


def check_change(desk: Desk, verb: str, trial: Trial, actor: Actor, reason: str) -> None:
    """Raise what ``verb`` would: Refused without the right or while frozen, BadInput, Conflict, ApprovalMissing."""
    place = trial.key.model, trial.key.environment
    access.require(desk.settings, actor, NEEDS[verb], *place)
    if not trial.open:
        raise NotFound("This trial is over.", "Nothing was changed.")
    if verb in NEEDS_REASON and not reason.strip():
        raise BadInput("Say why the trial ends.", 'Add --reason "...".')
    standing_still = trial.state is TrialState.PAUSED
    if (verb, standing_still) in (("pause", True), ("resume", False)):
        raise Conflict(
            f"The {trial.kind} of v{trial.candidate} is {trial.state} already.", "Nothing was changed."
        )
    if verb == "advance" and trial.next_share is None:
        raise Conflict(f"{trial.share} % is the last step of the ramp.", "Finish the trial, or abort it.")
    if verb in ("advance", "finish"):
        basis_for(desk.ws, trial.key.model, trial.candidate, trial.key.environment)


def enough(rules: OutcomeRules) -> int:
    """Outcomes per version that show the effect in 4 of 5 fixed-horizon tests, whatever live's accuracy or Brier score.

    Outcomes between 0 and 1 vary most about a half.
    """
    from core.deploy.ab_statistics import size_for

    return size_for(0.5 - rules.effect / 2, rules.effect, alpha=rules.alpha)


def size_words(rules: OutcomeRules) -> str:
    """How many outcomes a fixed horizon needs, and how many are registered."""
    words = (
        f"At most {enough(rules):,} outcomes per version show an effect of {rules.effect:g} in 4 of 5 tests"
    )
    if rules.size is None:
        return f"{words}; none is registered: the test is always valid, may be read at any time, and needs some more."
    return f"{words}; {rules.size:,} are registered."


def start_words(spec: TrialSpec) -> tuple[str, ...]:
    """What is registered with a trial, beside its first share."""
    ramp = ", ".join(f"{share} %" for share in spec.shares)
    if spec.kind is TrialKind.AB:
        return (
            f"Shares: {ramp}. Judged by {spec.outcomes.metric} from late labels.",
            size_words(spec.outcomes),
        )
    rules = spec.traffic
    return (
        f"Steps: {ramp}, each after {rules.min_requests} requests and {rules.hold_s:g} s without harm; then finish.",
    )
