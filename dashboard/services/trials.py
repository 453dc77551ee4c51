"""The Deploy page's doors to trials: read fresh each time, since traffic moves under them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import ModelDeskError
from dashboard.services.frame import forget, workspace

if TYPE_CHECKING:
    from core.access import Actor
    from core.deploy.ab_outcomes import AbReport
    from core.deploy.trial import Trial


def last_trial(model: str, environment: str) -> Trial | None:
    """The newest trial of an endpoint, open or over; None without an engine."""
    from core.deploy import trials
    from core.deploy.types import EndpointKey

    desk = workspace().deployments
    return trials.store_of(desk).last(EndpointKey(model, environment)) if desk.serves else None


def comparison(trial: Trial) -> AbReport | ModelDeskError:
    """What the outcomes say so far, or why nothing can be said."""
    from core.deploy.ab_outcomes import report

    try:
        return report(workspace(), trial, datetime.now(UTC))
    except ModelDeskError as error:
        return error


def deployd_runs() -> bool:
    """Whether anybody looks at trials by itself."""
    from core.deploy import supervisor

    return supervisor.running_pid(workspace().deployments) is not None


def change(verb: str, seen: Trial, actor: Actor, reason: str) -> str:
    """advance, pause, resume, abort or finish the trial as it was ``seen``; gives back where it stands then."""
    from core.deploy import jobs, trials

    ws = workspace()
    acts = {
        "advance": trials.advance,
        "pause": trials.pause,
        "resume": trials.resume,
        "abort": trials.abort,
        "finish": trials.finish,
    }
    try:
        trial = trials.store_of(ws.deployments).still(seen)
        after = acts[verb](ws.deployments, trial, actor, reason)
    finally:
        jobs.tell_later(ws)
        forget()
    share = f", v{after.candidate} has {after.share} %" if after.open else ""
    return f"The {after.kind} of v{after.candidate} is {after.state}{share}."


def shadow(model: str, environment: str, version: int, actor: Actor, _reason: str) -> str:
    """Replay logged requests to a version without traffic; gives back the counts in a sentence."""
    from core.deploy.shadow import replay
    from core.deploy.types import EndpointKey

    ws = workspace()
    try:
        return replay(ws.deployments, EndpointKey(model, environment), version, actor).sentence
    finally:
        forget()
