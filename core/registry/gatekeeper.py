"""May this version go live now? Freezes, archive and approvals; every way to production asks here, but rollbacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from core.errors import Refused

if TYPE_CHECKING:
    from core.ledger.state import State
    from core.settings import FreezeWindowSection
    from core.workspace import Workspace

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Basis:
    """By what right a version goes live: ``no policy``, ``not required`` or ``approved``.

    ``sha256`` is the digest of the files that were approved, '' where none are bound; ``allows_code`` is what
    loading them may run.
    """

    name: str
    request_id: str = ""
    policy_version: int | None = None
    sha256: str = ""
    allows_code: frozenset[str] = frozenset()


NO_POLICY = Basis("no policy")


def check_not_frozen(state: State, model: str, environment: str) -> None:
    """Raise Refused while promotions of the model are frozen, naming who froze them and why."""
    freeze = state.freeze(model, environment)
    if freeze is None:
        return
    where = f"{model} in {environment}" if environment else model
    raise Refused(
        f"Promotions of {where} are frozen since {freeze.since:%Y-%m-%d %H:%M} UTC by "
        f"{freeze.by.printed_name}: {freeze.reason or freeze.cause}.",
        f"Rolling back stays possible. Lift it with `freeze lift {model} --reason ...` when the cause is gone.",
    )


def check_not_archived(state: State, model: str, version: int) -> None:
    """Raise Refused for a version that is out of use, naming who archived it and why."""
    record = state.archived.get((model, version))
    if record is not None:
        raise Refused(
            f"{model} v{version} is archived since {record.at:%Y-%m-%d %H:%M} UTC by "
            f"{record.actor.printed_name}: {record.reason}.",
            f"Restore it first: `registry restore {model} --version {version} --reason ...`.",
        )


def check_no_window(
    windows: Iterable[FreezeWindowSection], model: str, environment: str, now: datetime
) -> None:
    """Raise Refused inside a freeze window of the settings (UTC); a window may end on the next day."""
    for window in windows:
        covers = fnmatchcase(model, window.models) and any(
            fnmatchcase(environment, pattern) for pattern in window.environments
        )
        if covers and in_window(window, now):
            raise Refused(
                f"Deployments of {model} to {environment} are frozen by the window '{window.name}' "
                f"({', '.join(window.days)}, {window.hours} UTC).",
                "Rolling back stays possible. Wait for its end, or change [[freeze_windows]] in modeldesk.toml.",
            )


def in_window(window: FreezeWindowSection, now: datetime) -> bool:
    """True at a time that the window covers; 22:00-06:00 on fri reaches into Saturday."""
    start, end = (_minutes(part) for part in window.hours.split("-"))
    at = now.astimezone(UTC)
    minute = at.hour * 60 + at.minute
    if start < end:
        return start <= minute < end and _on_day(window, at.date())
    evening = minute >= start and _on_day(window, at.date())
    return evening or (minute < end and _on_day(window, at.date() - timedelta(days=1)))


def _on_day(window: FreezeWindowSection, day: date) -> bool:
    within = (window.first or day) <= day <= (window.last or day)
    return within and DAYS[day.weekday()] in window.days


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def basis_for(ws: Workspace, model: str, version: int, environment: str) -> Basis:
    """The right by which the version may go live. Raises Refused (frozen, archived) and ApprovalMissing."""
    state = ws.ledger.state()
    check_not_frozen(state, model, environment)
    check_not_archived(state, model, version)
    check_no_window(ws.settings.freeze_windows, model, environment, datetime.now(UTC))
    if ws.settings.policy is None:
        return NO_POLICY
    from core.registry.requests import approved_basis

    return approved_basis(ws, model, version, environment)
