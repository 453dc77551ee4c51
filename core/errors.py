"""What can go wrong, in words a person can act on.

Every error says what happened and what to do next, and knows the exit code of the command line
(the table of codes is in the README). Foreign exceptions become one of these at the adapters.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The command line's exit codes; CI jobs branch on them."""

    OK = 0
    INFRASTRUCTURE = 1
    USAGE = 2
    CHECK_FAILED = 3
    INCONCLUSIVE = 4
    APPROVAL_MISSING = 5
    REFUSED = 6
    CONFLICT = 7
    INTEGRITY = 8
    OUT_OF_SYNC = 9


class ModelDeskError(Exception):
    """Base of all errors: ``what`` happened and the ``way_out``."""

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, way_out: str = "") -> None:
        super().__init__(f"{what} {way_out}".strip())
        self.what = what
        self.way_out = way_out


class Unavailable(ModelDeskError):
    """A store, server or file that should answer does not (worth a retry)."""


class BadInput(ModelDeskError):
    """What the user gave cannot be understood: a filter, a reference, an option."""

    exit_code = ExitCode.USAGE


class NotFound(BadInput):
    """The named run, version, alias, file or revision does not exist."""


class BadSettings(BadInput):
    """modeldesk.toml, a policy or an environment variable is not valid; names file, line and key."""


class ApprovalMissing(ModelDeskError):
    """The action needs an approval that is absent, pending, stale or expired."""

    exit_code = ExitCode.APPROVAL_MISSING


class Refused(ModelDeskError):
    """Policy, permission or a freeze forbids the action."""

    exit_code = ExitCode.REFUSED


class Conflict(ModelDeskError):
    """The state is no longer the one that the plan was made for; nothing was changed."""

    exit_code = ExitCode.CONFLICT


class IntegrityFailure(ModelDeskError):
    """A digest, a chain or a signature does not match what was recorded."""

    exit_code = ExitCode.INTEGRITY
