"""What the ledger records, what it only notices, and what it cannot see; said to auditors before they ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Recorded(StrEnum):
    """How much of an action the ledger holds."""

    YES = "RECORDED"
    NOTICED = "NOTICED"
    NO = "NOT RECORDED"


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of action; ``kinds`` are the events that record it."""

    action: str
    recorded: Recorded
    how: str
    kinds: tuple[str, ...] = ()


_WHO = "who, when (UTC), what from and to, and why"

COVERAGE: tuple[Line, ...] = (
    Line(
        "Promoting, deploying and rolling back",
        Recorded.YES,
        f"{_WHO}; the plan before and what was read back after; failed tries too",
        ("operation_started", "operation_failed", "promoted", "deployed", "rolled_back", "traffic_switched"),
    ),
    Line(
        "What answers changed by itself",
        Recorded.YES,
        "the live version fell over to the warm one behind it, or is back; nobody's decision",
        ("serving_changed",),
    ),
    Line(
        "Requests, approvals, rejections, remarks, reminders",
        Recorded.YES,
        f"{_WHO}; printed name, meaning and digest of what was signed, gates with their thresholds",
        (
            "request_opened", "request_reminded", "approval_signed", "gate_overridden", "changes_requested",
            "request_rejected", "request_withdrawn", "request_expired", "commented",
        ),
    ),
    Line(
        "Canary and A/B trials, replays without traffic, rollback drills", Recorded.YES,
        f"{_WHO}; the rules registered before the first outcome, and how it ended",
        (
            "trial_started", "trial_paused", "trial_resumed", "trial_ended", "shadow_replayed",
            "rollback_drilled",
        ),
    ),
    Line("Reviews of break-glass rollbacks", Recorded.YES, _WHO, ("rollback_reviewed",)),
    Line("Freezes", Recorded.YES, _WHO, ("freeze_set", "freeze_lifted")),
    Line("Release policies", Recorded.YES, "the text word for word, numbered", ("policy_published",)),
    Line("Deputies", Recorded.YES, "who for whom until when", ("deputy_named", "deputy_ended")),
    Line(
        "Signing passphrases",
        Recorded.YES,
        "that one was set or was wrong, and lock-outs; never the passphrase",
        ("signer_enrolled", "signature_failed"),
    ),
    Line("Refused tries", Recorded.YES, "who tried what, and why it was refused", ("action_refused",)),
    Line(
        "Drift alerts and what people did about them",
        Recorded.YES,
        "what was found, who took it on, put it off or closed it",
        (
            "drift_alert_raised", "drift_alert_acknowledged", "drift_alert_snoozed", "drift_alert_reopened",
            "drift_alert_resolved", "retraining_requested",
        ),
    ),
    Line("Kinds of columns that people said", Recorded.YES, _WHO, ("column_kind_set",)),
    Line("Exports of evidence and audit logs", Recorded.YES, "who took what, with its SHA-256", ("export_made",)),
    Line(
        "Versions registered, archived, restored or deleted, and reports kept, through the desk", Recorded.YES, _WHO,
        ("version_registered", "version_archived", "version_restored", "version_deleted", "report_attached"),
    ),
    Line(
        "Pipelines reproduced from the desk", Recorded.YES, "who started or stopped which, and why",
        ("pipeline_started", "pipeline_cancelled"),
    ),
    Line("Saved views of runs", Recorded.YES, "who saved or removed which", ("view_saved", "view_removed")),
    Line(
        "Aliases, and stages where they are mirrored, moved in MLflow beside the desk",
        Recorded.NOTICED,
        "at the next look; by whom is unknown, MLflow does not keep it",
        ("alias_moved_outside", "alias_reconciled"),
    ),
    Line(
        "Runs, metrics, tags and versions written or deleted in MLflow",
        Recorded.NO,
        "a request notices when what it judged has changed, and its approvals turn stale; who did it is unknown",
    ),
    Line("Commits and data pushed with git and DVC", Recorded.NO, "git's own history holds them"),
    Line("Changes of modeldesk.toml: people, roles, channels", Recorded.NO, "keep the file in git"),
    Line("Looking at pages, single predictions", Recorded.NO, "the ledger is about decisions, not about reading"),
    Line(
        "Somebody with the database's password",
        Recorded.NO,
        "changing or removing events is found by `audit verify`, a cut or rebuilt chain with an anchor; a forged "
        "event added at the end is not",
    ),
)  # fmt: skip
