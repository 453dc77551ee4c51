"""Who may do what: pure functions from (actor, action, subject) to a decision with its reason.

Deny by default. Every write in core asks :func:`require`; rights come from the settings at that moment, never
from a cookie. In local mode the person at the machine holds the admin and approver roles (the app then listens
on loopback only); demo users keep just what the settings grant them.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from core.errors import BadInput, Refused

if TYPE_CHECKING:
    from core.settings import GrantSection, Settings

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or job. ``source`` says who vouches for the name: local (the operating system), oidc, proxy."""

    name: str
    display_name: str = ""
    source: str = LOCAL
    demo: bool = False

    @property
    def printed_name(self) -> str:
        """The name for people and signatures; a demo identity says so."""
        return (self.display_name or self.name) + (" (demo user)" if self.demo else "")


UNKNOWN = Actor("unknown", "unknown", "outside")
"""Whoever changed something behind our back."""

DESK = Actor("desk", "Model Desk", "desk")
"""Model Desk itself: what follows from a date that passed, and from nobody's wish."""


class Action(StrEnum):
    """What can be allowed or refused; each write in core names one."""

    VIEW = "view"
    EXPORT = "export"
    MONITOR = "monitor"
    ACKNOWLEDGE = "acknowledge"
    COMMENT = "comment"
    REGISTER = "register"
    REQUEST = "request"
    RUN_PIPELINE = "run-pipeline"
    APPROVE = "approve"
    NAME_DEPUTY = "name-deputy"
    PROMOTE = "promote"
    DEPLOY = "deploy"
    ROLL_BACK = "roll-back"
    RECONCILE = "reconcile"
    FREEZE = "freeze"
    LIFT_FREEZE = "lift-freeze"
    REVIEW = "review"
    PUBLISH_POLICY = "publish-policy"
    OVERRIDE_GATE = "override-gate"
    ARCHIVE_VERSION = "archive-version"
    DELETE_VERSION = "delete-version"
    CHANGE_SETTINGS = "change-settings"


_VIEWER = frozenset({Action.VIEW})
_ANALYST = _VIEWER | {Action.EXPORT, Action.COMMENT}
_CONTRIBUTOR = _ANALYST | {Action.REGISTER, Action.REQUEST, Action.RUN_PIPELINE, Action.MONITOR}
_APPROVER = _ANALYST | {
    Action.APPROVE,
    Action.NAME_DEPUTY,
    Action.LIFT_FREEZE,
    Action.REVIEW,
    Action.OVERRIDE_GATE,
    Action.ARCHIVE_VERSION,
}
_OPERATOR = _ANALYST | {
    Action.MONITOR,
    Action.ACKNOWLEDGE,
    Action.PROMOTE,
    Action.DEPLOY,
    Action.ROLL_BACK,
    Action.RECONCILE,
    Action.FREEZE,
}
# An admin runs the desk but does not sign: whoever grants rights should not also release models.
_ADMIN = frozenset(Action) - {Action.APPROVE, Action.OVERRIDE_GATE}

ROLES: dict[str, frozenset[Action]] = {
    "viewer": _VIEWER,
    "analyst": _ANALYST,
    "contributor": _CONTRIBUTOR,
    "approver": _APPROVER,
    "operator": _OPERATOR,
    "admin": _ADMIN,
}
"""The actions of each role (the table in the README)."""

_LOCAL_ROLES = ("admin", "approver")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an action is allowed, and why (or why not) in a sentence."""

    allowed: bool
    reason: str


def decide(
    settings: Settings,
    actor: Actor,
    action: Action,
    model: str = "",
    environment: str = "",
    *,
    stands_in_for: Iterable[str] = (),
) -> Decision:
    """May ``actor`` do ``action`` to ``model`` in ``environment``?

    ``stands_in_for`` names the people whose deputy the actor is now: their approver grants count too.
    """
    roles = set(_roles(settings, actor, model, environment))
    if any("approver" in _granted(settings, name, model, environment) for name in stands_in_for):
        roles.add("approver")
    for role in sorted(roles):
        if action in ROLES[role]:
            return Decision(True, f"{actor.printed_name} is {role} here.")
    able = sorted(role for role, actions in ROLES.items() if action in actions)
    where = f" for {model}" if model else ""
    where += f" in {environment}" if environment else ""
    holds = f"has the role {', '.join(sorted(roles))}" if roles else "has no role"
    return Decision(False, f"{actor.printed_name} {holds}{where}; '{action}' needs {' or '.join(able)}.")


def require(
    settings: Settings,
    actor: Actor,
    action: Action,
    model: str = "",
    environment: str = "",
    *,
    stands_in_for: Iterable[str] = (),
) -> None:
    """Raise Refused unless :func:`decide` allows it."""
    decision = decide(settings, actor, action, model, environment, stands_in_for=stands_in_for)
    if not decision.allowed:
        raise Refused(
            decision.reason, "Someone with that role can do it, or grant it in modeldesk.toml [access]."
        )


def local_actor(settings: Settings) -> Actor:
    """The operating system's user: who acts on the command line, and on the page in local mode."""
    name = getpass.getuser()
    known = next((user for user in settings.access.users if user.name == name), None)
    return Actor(name, known.display_name if known else name, LOCAL)


def demo_actor(settings: Settings, name: str) -> Actor:
    """The demo user ``name``, to try four-eyes alone; local mode only. Raises BadInput or Refused."""
    if settings.access.mode != "local":
        raise Refused("Demo users exist in local mode only.", "Sign in as yourself.")
    for user in settings.access.users:
        if user.demo and name in (user.name, user.display_name):
            return Actor(user.name, user.display_name, "demo", demo=True)
    known = ", ".join(user.name for user in settings.access.users if user.demo) or "none is configured"
    raise BadInput(f"'{name}' is not a demo user of this workspace.", f"Demo users: {known}.")


def _roles(settings: Settings, actor: Actor, model: str, environment: str) -> tuple[str, ...]:
    granted = _granted(settings, actor.name, model, environment)
    if settings.access.mode == "local" and actor.source == LOCAL and not actor.demo:
        return (*_LOCAL_ROLES, *granted)
    return granted


def _granted(settings: Settings, name: str, model: str, environment: str) -> tuple[str, ...]:
    return tuple(
        grant.role
        for grant in settings.access.grants
        if grant.user == name and _covers(grant, model, environment)
    )


def _covers(grant: GrantSection, model: str, environment: str) -> bool:
    in_environment = not environment or any(fnmatchcase(environment, item) for item in grant.environments)
    return in_environment and (not model or fnmatchcase(model, grant.models))
