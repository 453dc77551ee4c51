"""What a promotion or rollback would do, worked out before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.errors import BadInput, Conflict, ModelDeskError, NotFound, Refused
from core.registry.gatekeeper import NO_POLICY, Basis, basis_for
from core.registry.types import said

if TYPE_CHECKING:
    from core.ledger.state import Service, State
    from core.workspace import Workspace

PROMOTE, ROLL_BACK = "promote", "rollback"
LAST_GOOD = "last-good"


@dataclass(frozen=True, slots=True)
class Check:
    """One preflight check; ``verdict`` is PASS, FAIL or INCONCLUSIVE."""

    name: str
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A promotion or rollback, made for the state that was seen; carry it out with core.registry.promotion.

    ``from_version`` is what the alias said, ``ledger_version`` what was decided last. ``blocked`` holds the
    reason why it cannot be carried out. ``outside`` says that the alias was moved behind the desk's back: it
    must then be acknowledged first.
    """

    verb: str
    model: str
    environment: str
    alias: str
    from_version: int | None
    to_version: int | None
    ledger_version: int | None
    live_since: datetime | None = None
    live_by: str = ""
    target: str = ""
    basis: Basis = NO_POLICY
    checks: tuple[Check, ...] = ()
    changes: tuple[str, ...] = ()
    not_undone: tuple[str, ...] = ()
    alternatives: tuple[int, ...] = ()
    outside: str = ""
    blocked: ModelDeskError | None = field(default=None, compare=False)

    @property
    def sentence(self) -> str:
        """``Promote risk v8 to production (live: v7)``."""
        now = said(self.from_version)
        to = "?" if self.to_version is None else f"v{self.to_version}"
        if self.verb == PROMOTE:
            return f"Promote {self.model} {to} to {self.environment} (live now: {now})."
        return f"Roll back {self.model} in {self.environment} from {now} to {to}."


def alias_of(ws: Workspace, environment: str) -> str:
    """The alias that mirrors an environment; raises BadInput for one that the settings do not name."""
    aliases = ws.settings.environments
    if environment not in aliases:
        raise BadInput(
            f"There is no environment '{environment}'.", f"This workspace has: {', '.join(aliases)}."
        )
    return aliases[environment]


def plan_promotion(
    ws: Workspace,
    model: str,
    version: int,
    environment: str = "production",
    expect_current: int | None = None,
) -> Plan:
    """The plan to make ``version`` the live one. Raises NotFound, and Conflict when ``expect_current`` is past."""
    alias = alias_of(ws, environment)
    state = ws.ledger.state()
    target = ws.registry.version(model, version)
    current = ws.registry.model(model).aliases.get(alias)
    live = state.live(model, environment)
    if expect_current is not None and current != expect_current:
        raise moved_on(model, environment, current, expect_current, live)
    basis, blocked = _right(ws, model, version, environment)
    if current == version:
        blocked = already(model, environment, version, live)
    checks = (
        _exists(ws, model, version),
        Check("registered", "PASS" if target.status == "READY" else "FAIL", f"status {target.status}"),
    )
    return Plan(
        verb=PROMOTE,
        model=model,
        environment=environment,
        alias=alias,
        from_version=current,
        to_version=version,
        ledger_version=live.version if live else None,
        live_since=live.since if live else None,
        live_by=live.by.printed_name if live else "",
        basis=basis,
        checks=checks,
        changes=_changes(model, alias, current, version),
        not_undone=("Predictions that were already made are not recalled.",),
        outside=_outside(live, current, alias),
        blocked=blocked,
    )


def plan_rollback(ws: Workspace, model: str, environment: str = "production", to: str = LAST_GOOD) -> Plan:
    """The plan to go back: to the last version that really served and still exists, or to a named one.

    Never "version n - 1": only the ledger knows what served. Without any history the plan is blocked, says so
    and offers the versions that exist as explicit targets. Raises NotFound and BadInput.
    """
    alias = alias_of(ws, environment)
    state = ws.ledger.state()
    current = ws.registry.model(model).aliases.get(alias)
    live = state.live(model, environment)
    existing = tuple(version.version for version in ws.registry.versions(model) if version.version != current)
    target, blocked, checks = _target(ws, state, model, environment, to, current)
    return Plan(
        verb=ROLL_BACK,
        model=model,
        environment=environment,
        alias=alias,
        from_version=current,
        to_version=target,
        ledger_version=live.version if live else None,
        live_since=live.since if live else None,
        live_by=live.by.printed_name if live else "",
        target=to,
        basis=Basis("rollback"),
        checks=checks,
        changes=(
            *_changes(model, alias, current, target),
            f"Promotions of {model} in {environment} are frozen until someone lifts the freeze.",
        ),
        not_undone=("Predictions that were already made are not recalled.",),
        alternatives=existing,
        outside=_outside(live, current, alias),
        blocked=blocked,
    )


def _target(
    ws: Workspace, state: State, model: str, environment: str, to: str, current: int | None
) -> tuple[int | None, ModelDeskError | None, tuple[Check, ...]]:
    if to != LAST_GOOD:
        number = _number(to)
        ws.registry.version(model, number)
        check = _exists(ws, model, number)
        served = any(item.version == number for item in state.services.get((model, environment), ()))
        detail = "served before" if served else "never served here, as far as the ledger knows"
        blocked = already(model, environment, number, None) if number == current else None
        return number, blocked, (check, Check("served", "PASS" if served else "INCONCLUSIVE", detail))
    checks: list[Check] = []
    for service in state.last_good(model, environment):
        if service.version == current:
            continue
        check = _exists(ws, model, service.version)
        checks.append(check)
        if check.verdict != "FAIL":
            detail = f"served from {service.since:%Y-%m-%d %H:%M} UTC, by {service.by.printed_name}"
            return service.version, None, (*checks, Check("served", "PASS", detail))
    served = len(state.services.get((model, environment), ()))
    why = (
        "The versions that served before are gone or were taken back."
        if checks or served > 1
        else "The ledger knows of no earlier version that served."
    )
    return (
        None,
        Refused(
            f"There is no last good version of {model} in {environment}. {why}",
            "Name one: `rollback --to N`; `registry versions` lists them.",
        ),
        tuple(checks),
    )


def _exists(ws: Workspace, model: str, version: int) -> Check:
    """A remote artifact store is not asked here: that is the deployment's preflight."""
    name = f"v{version} files"
    try:
        uri = ws.registry.artifact_uri(model, version)
        local = uri.startswith(("file:", "/"))
        if local and ws.registry.folder(model, version) is None:
            return Check(name, "FAIL", "the artifact folder is gone")
    except NotFound:
        return Check(name, "FAIL", "the version was deleted")
    return Check(name, "PASS", "present" if local else "in a remote artifact store")


def _right(ws: Workspace, model: str, version: int, environment: str) -> tuple[Basis, ModelDeskError | None]:
    try:
        return basis_for(ws, model, version, environment), None
    except ModelDeskError as error:
        return NO_POLICY, error


def moved_on(
    model: str, environment: str, current: int | None, expected: int | None, live: Service | None
) -> Conflict:
    """The conflict that names who changed what serves, and when."""
    who = ""
    if live is not None and live.version == current:
        who = f" ({live.kind.replace('_', ' ')} by {live.by.printed_name} {_age(live.since)})"
    return Conflict(
        f"{model} in {environment} is {said(current)} by now{who}, not {said(expected)}; nothing was changed.",
        "Look at the new state and decide again.",
    )


def already(model: str, environment: str, version: int, live: Service | None) -> Conflict:
    """The conflict of wanting what is already so."""
    by = f" by {live.by.printed_name} {_age(live.since)}" if live and live.version == version else ""
    return Conflict(
        f"Already done{by}: {model} v{version} is live in {environment}.", "There is nothing left to do."
    )


def _outside(live: Service | None, current: int | None, alias: str) -> str:
    if live is None or live.version == current:
        return ""
    return (
        f"The alias {alias} was moved outside Model Desk: the ledger says v{live.version}, "
        f"MLflow says {said(current)}."
    )


def _changes(model: str, alias: str, before: int | None, after: int | None) -> tuple[str, ...]:
    return (f"{model}@{alias}: {said(before)} -> {said(after)}", "One event in the ledger.")


def _number(text: str) -> int:
    if not text.isdigit():
        raise BadInput(f"'{text}' is no version.", "Use a number, or last-good.")
    return int(text)


def _age(at: datetime) -> str:
    seconds = max(0, round((datetime.now(UTC) - at).total_seconds()))
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"
