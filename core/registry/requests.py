"""What a request for release is worth now: open, approved, stale ... and why.

A request is bound to a digest of everything that was judged. Nothing of this is stored: it is worked out from the
ledger and from what MLflow says at the moment, so an approval never outlives the facts it was given for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ApprovalMissing, BadInput, IntegrityFailure, ModelDeskError, NotFound, Refused
from core.experiments.told import told_metrics
from core.ledger.canonical import digest
from core.registry.drift_gate import NAMES as DRIFT_NAMES
from core.registry.gatekeeper import Basis
from core.registry.plans import alias_of
from core.registry.policy import Policy, policy_of, published_version
from core.registry.quorum import missing_groups
from core.tree import tree_sha256

if TYPE_CHECKING:
    from core.ledger.state import Request, State
    from core.workspace import Workspace

OPEN, APPROVED, STALE, EXPIRED, CHANGES = "open", "approved", "stale", "expired", "changes requested"
REJECTED, WITHDRAWN = "rejected", "withdrawn"
_SAID = {
    "files": "the model's files",
    "source": "the model's source",
    "run_id": "the source run",
    "metrics": "the run's metrics",
    "data_hash": "the training data's hash",
    "policy": "the policy's text",
    "policy_version": "the policy's version",
    "champion": "the live version",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A request and what it is worth now. ``has`` counts people; ``reasons`` say what is missing or changed.

    ``unjudged`` says why it could not be told whether the request is stale, '' when it could.
    ``missing`` are the groups of whom nobody has signed yet, each as often as the policy asks for it.
    """

    request: Request
    url: str
    state: str
    needs: int
    has: int
    reasons: tuple[str, ...] = ()
    unjudged: str = ""
    missing: tuple[str, ...] = ()

    @property
    def request_id(self) -> str:
        """The request's id."""
        return self.request.request_id

    @property
    def usable(self) -> bool:
        """Whether a release may rest on it: approved, and not used up by an earlier release."""
        return self.state == APPROVED and not self.request.used_by


def find_request(ws: Workspace, request_id: str) -> Request:
    """The request with this id; raises NotFound."""
    found = ws.ledger.state().requests.get(request_id)
    if found is None:
        raise NotFound(f"There is no request '{request_id}'.", "`approval list` shows them.")
    return found


def newest_request(ws: Workspace, model: str, version: int, environment: str) -> Request | None:
    """The latest request for a version in an environment."""
    return _newest(ws.ledger.state(), model, version, environment)


def _newest(state: State, model: str, version: int, environment: str) -> Request | None:
    wanted = (model, version, environment)
    requests = reversed(tuple(state.requests.values()))
    return next((item for item in requests if _target(item) == wanted), None)


def judgements(ws: Workspace, model: str | None = None) -> tuple[Judgement, ...]:
    """Every request (of a model), newest first."""
    requests = reversed(tuple(ws.ledger.state().requests.values()))
    return tuple(judge(ws, item) for item in requests if model in (None, item.opened.model))


def judge(ws: Workspace, request: Request, *, thorough: bool = True) -> Judgement:
    """What the request is worth now; raises Unavailable when MLflow does not answer.

    A page that only shows it need not be ``thorough``: files whose sizes and times are as they were when they
    were last hashed are not read again. Whatever acts on the answer is.
    """
    opened = request.opened
    # A deputy counts as the one they stand in for: both together are one approval.
    signers = {
        signature.event.deputy_for or signature.by.name: signature.event.groups
        for signature in request.signatures
        if signature.event.digest == opened.digest
    }
    missing = missing_groups(opened.groups, tuple(signers.values()))
    state, reasons = _standing(ws, request, len(signers), missing, thorough)
    return Judgement(
        request=request,
        url=url_of(ws, opened.request_id),
        state=state,
        needs=opened.needs,
        has=len(signers),
        reasons=reasons,
        missing=missing,
    )


def judged_or_open(ws: Workspace, request: Request, *, thorough: bool = False) -> Judgement:
    """What a request is worth; by the ledger alone, as open, while MLflow does not answer.

    For what is shown, and for the answer of a write that is on the record by then: it must not look like a failure.
    """
    try:
        return judge(ws, request, thorough=thorough)
    except ModelDeskError as error:
        signers = {item.event.deputy_for or item.by.name for item in request.signatures}
        return Judgement(
            request=request,
            url=url_of(ws, request.opened.request_id),
            state=request.closed or OPEN,
            needs=request.opened.needs,
            has=len(signers),
            reasons=(f"not judged: {error.what}",),
            unjudged=error.what,
        )


def url_of(ws: Workspace, request_id: str) -> str:
    """Where people look at the request."""
    return f"{ws.settings.notify.base_url.rstrip('/')}/request?id={request_id}"


def approved_basis(ws: Workspace, model: str, version: int, environment: str) -> Basis:
    """The right by which a version may go live under the policy. Raises ApprovalMissing, Refused, BadSettings."""
    policy = policy_of(ws)
    if policy is None:
        raise BadInput("No policy is configured.", "Set `policy` in modeldesk.toml.")
    # A release rests on the events themselves, not on what is stored beside them.
    told = ws.ledger.state_of(model)
    number = published_version(told, policy)
    tier = policy.tier(model, environment)
    if tier is not None and tier.reviewed_rollbacks:
        _check_reviewed(told, model, environment)
    if tier is None:
        return Basis("not required", policy_version=number)
    request = _newest(told, model, version, environment)
    name = f"{model} v{version} in {environment}"
    if request is None:
        raise ApprovalMissing(
            f"The policy asks for an approval of {name}, and nobody has requested one.",
            f"Ask: `request-approval {model} --version {version} --environment {environment} --reason ...`",
        )
    found = judge(ws, request)
    if not found.usable:
        state = "used up" if request.used_by else found.state
        raise ApprovalMissing(
            f"Request {found.request_id} for {name} is {state}: {'; '.join(found.reasons)}.",
            f"See {found.url}" + ("" if found.state in (OPEN, CHANGES) else ", or request a new approval."),
        )
    files = request.opened.evidence.get("files", "")
    return Basis(
        "approved",
        found.request_id,
        request.opened.policy_version,
        sha256=files,
        allows_code=allowed_code(request),
    )


def allowed_code(request: Request) -> frozenset[str]:
    """What loading the files may run: each name that as many people have signed for as the request needs."""
    opened = request.opened
    told = [
        (signature.event.deputy_for or signature.by.name, name)
        for signature in request.signatures
        if signature.event.digest == opened.digest
        for name in signature.event.allows_code
    ]
    people = Counter(name for _, name in set(told))
    return frozenset(name for name, count in people.items() if count >= opened.needs)


def _check_reviewed(state: State, model: str, environment: str) -> None:
    """Raise Refused while a rollback of the model there waits for its review."""
    for record in state.reviews_due.values():
        if (record.model, record.environment) == (model, environment):
            raise Refused(
                f"The rollback of {model} in {environment} by {record.actor.printed_name} on "
                f"{record.at:%Y-%m-%d %H:%M} UTC was not reviewed yet, and the policy asks for that first.",
                "A lead records what was found: `review record`, or Requests > Reviews.",
            )


def judged_facts(
    ws: Workspace,
    model: str,
    version: int,
    environment: str,
    policy: Policy | None,
    number: int | None,
    *,
    thorough: bool = True,
) -> dict[str, Any]:
    """Everything that a request is about, as plain facts; its digest binds the request.

    Raises NotFound, Unavailable, and IntegrityFailure for files that cannot be bound (symbolic links).
    """
    found = ws.registry.version(model, version)
    run = ws.runs.run(found.run_id) if found.run_id else None
    folder = ws.registry.folder(model, version)
    content = (
        {"files": tree_sha256(folder)[0] if thorough else _remembered_hash(folder, _stamps(folder))}
        if folder
        else {"source": found.source, "logged_model_id": found.logged_model_id}
    )
    return content | {
        "model": model,
        "version": version,
        "environment": environment,
        "run_id": found.run_id,
        "metrics": dict(run.metrics) if run else {},
        "data_hash": run.data_hash if run else None,
        "policy": policy.sha256 if policy else None,
        "policy_version": number,
        "champion": champion_seen(ws, ws.ledger.state(), model, version, environment),
    }


@lru_cache(maxsize=256)
def _remembered_hash(folder: Path, _stamps: tuple[tuple[str, int, int], ...]) -> str:
    return tree_sha256(folder)[0]


def _stamps(folder: Path) -> tuple[tuple[str, int, int], ...]:
    files = ((str(path), path.lstat()) for path in sorted(folder.rglob("*")))
    return tuple((name, info.st_size, info.st_mtime_ns) for name, info in files)


def champion_seen(ws: Workspace, state: State, model: str, version: int, environment: str) -> int | None:
    """The live version; while a move to ``version`` was begun and not recorded, the one before that move."""
    current = ws.registry.model(model).aliases.get(alias_of(ws, environment))
    for record in state.unfinished.values():
        begun = (record.model, record.environment, record.payload["to_version"])
        if current == version and begun == (model, environment, version):
            return record.payload["from_version"]
    return current


def gate_results(request: Request) -> tuple[Mapping[str, Any], ...]:
    """The gates as they were evaluated when the request was opened."""
    return tuple(request.opened.evidence.get("gates", ()))


def failed_gates(request: Request) -> tuple[str, ...]:
    """Sentences for the gates that forbid a release: failed or inconclusive, and not accepted."""
    return tuple(
        f"gate '{gate['name']}' is {gate['verdict']}: {gate['reason']}" for gate in _in_the_way(request)
    )


def unaccepted_failure(request: Request) -> Mapping[str, Any] | None:
    """The first gate that failed and that nobody accepted (only one on drift can be): until then nobody signs."""
    return next((gate for gate in _in_the_way(request) if gate["verdict"] == "FAIL"), None)


def can_be_accepted(name: str, verdict: str) -> bool:
    """Whether an approver may accept a gate with a reason: one that is inconclusive, or one on drift that failed.

    That data have changed is no fault of a version: it may have been trained on purpose for another unit, or be what
    is to replace a live one that drifts.
    """
    return verdict == "INCONCLUSIVE" or (verdict == "FAIL" and name in DRIFT_NAMES.values())


def _in_the_way(request: Request) -> Iterator[Mapping[str, Any]]:
    overridden = {event.gate for _, event in request.overrides if event.digest == request.opened.digest}
    for gate in gate_results(request):
        accepted = gate["name"] in overridden and can_be_accepted(gate["name"], gate["verdict"])
        if gate["verdict"] != "PASS" and not accepted:
            yield gate


def _standing(
    ws: Workspace, request: Request, has: int, missing: tuple[str, ...], thorough: bool
) -> tuple[str, tuple[str, ...]]:
    opened = request.opened
    if request.used_by:
        return APPROVED, (f"it was used by operation {request.used_by}",)
    if request.closed:
        who = request.closed_by.printed_name if request.closed_by else "the desk"
        said = request.remarks[-1].reason if request.remarks else ""
        return request.closed, (f"{request.closed} by {who}" + (f": {said}" if said else ""),)
    if ws.ledger.now() >= opened.expires_at:
        return EXPIRED, (f"expired on {opened.expires_at:%Y-%m-%d %H:%M} UTC",)
    if changed := _changed(ws, request, thorough):
        return STALE, changed
    if request.changes_wanted:
        asked = next(item for item in reversed(request.remarks) if item.kind == "changes_requested")
        return CHANGES, (f"{asked.actor.printed_name} asks for changes: {asked.reason}",)
    reasons = list(failed_gates(request))
    if has < opened.needs:
        reasons.append(f"{has} of {opened.needs} approvals")
    if missing:
        reasons.append(f"nobody of {', '.join(missing)} has approved")
    return (OPEN, tuple(reasons)) if reasons else (APPROVED, ())


def _changed(ws: Workspace, request: Request, thorough: bool) -> tuple[str, ...]:
    opened = request.opened
    policy = policy_of(ws)
    number = published_version(ws.ledger.state(), policy) if policy else None
    try:
        now = judged_facts(
            ws, opened.model, opened.version, opened.environment, policy, number, thorough=thorough
        )
    except (NotFound, IntegrityFailure) as error:
        return (f"what was judged is gone or damaged: {error.what}",)
    if digest(now) == opened.digest:
        return ()
    before = {key: value for key, value in opened.evidence.items() if key != "gates"}
    now["metrics"] = told_metrics(now["metrics"])
    keys = [key for key in sorted({*now, *before}) if digest(now.get(key)) != digest(before.get(key))]
    named = ", ".join(_SAID.get(key, key) for key in keys)
    return (f"changed since it was requested: {named or 'what was judged'}",)


def _target(request: Request) -> tuple[str, int, str]:
    return request.opened.model, request.opened.version, request.opened.environment
