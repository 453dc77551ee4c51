"""Every write of core, asked as every role, against the table in the README.

Writes are found by reading the code: each public function outside the command line, the demo and the ledger that
takes the acting person. One that is new must be named here, as a write with its action or as a reader.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import views
from core.access import ROLES, Action, Actor
from core.audit import log
from core.deploy import adopt, drill, release, rollback, rollout, shadow, trial_plan, trials
from core.deploy.drill import DrillPlan
from core.deploy.trial import Step, Trial, TrialKind, TrialSpec, TrialState
from core.deploy.types import EndpointKey, Served
from core.drift import alerts, column_kinds
from core.drift.monitor import MonitorReport, Status
from core.drift.types import ColumnKind
from core.errors import ModelDeskError, Refused
from core.evidence import pack
from core.ledger.alert_events import DriftAlertRaised
from core.ledger.events import RolledBack
from core.ledger.view_events import ViewSaved
from core.notify import trial
from core.pipeline import reproduce
from core.registry import (
    approvals,
    attach,
    deputies,
    freezes,
    policy,
    promotion,
    register,
    retirement,
    reviews,
    signing,
    standing,
)
from core.settings import AccessSection, GrantSection
from core.workspace import Rehearsal, Workspace
from tests.contract.registry_desk import ADAM, CLIN, LEAD, OPAL, RINA, DeskSetup
from tests.contract.test_approvals import ruled_desk

ROOT = Path(__file__).parents[2]
KIM = Actor("kim", "Kim", "oidc")
PLACE = {"model": "risk", "environment": "production"}
KEY = EndpointKey("risk", "production")
TOMORROW = datetime.now(UTC) + timedelta(days=1)

READERS = {
    "core.access.decide",
    "core.access.require",
    "core.attention.overview",
    "core.deploy.messages.deployed",
    "core.deploy.messages.canary",
    "core.deploy.messages.rolled_back",
    "core.deploy.messages.failed",
    "core.deploy.automatic.roll_back_for",  # carries out core.deploy.release
    "core.reports.weekly.weekly_report",
    "core.deploy.jobs.start",  # carries out core.deploy.release in a thread
    "core.deploy.trials.advance",  # carries out core.deploy.rollout
    "core.deploy.trials.finish",  # carries out core.deploy.rollout
    "core.registry.dossier.dossier",
    "core.registry.four_eyes.may_answer",
    "core.registry.four_eyes.check_four_eyes",
    "core.registry.four_eyes.refusal_to_sign",
    "core.registry.policy.version_for_request",  # a part of open_request
    "core.registry.queue.queue",
    "core.registry.queue.waiting",
    "core.registry.signing.authenticate",
    "core.registry.signing.open_session",
}


@dataclass(frozen=True)
class Prepared:
    """A workspace in which each write has something to act on."""

    desk: DeskSetup
    open_request: str
    own_request: str
    run_id: str

    def served(self) -> Served:
        return Served(version=1, sha256="0" * 64, since=TOMORROW, until=None, by="opal", good=True)


WRITES: dict[str, tuple[Action, Callable[[Workspace, Prepared], object]]] = {
    "core.audit.log.take_log": (Action.EXPORT, lambda ws, _: log.take_log(ws, KIM)),
    "core.notify.trial.deliver": (Action.ACKNOWLEDGE, lambda ws, _: trial.deliver(ws, KIM)),
    "core.notify.trial.trial": (Action.ACKNOWLEDGE, lambda ws, _: trial.trial(ws, KIM)),
    "core.pipeline.reproduce.carry_out": (
        Action.RUN_PIPELINE,
        lambda ws, _: reproduce.carry_out(ws, _run_plan(ws), KIM),
    ),
    "core.pipeline.reproduce.fetch": (
        Action.RUN_PIPELINE,
        lambda ws, _: reproduce.fetch(ws, ws.root, "data.csv", None, KIM),
    ),
    "core.pipeline.reproduce.cancel": (
        Action.RUN_PIPELINE,
        lambda ws, _: reproduce.cancel(ws, ws.root, "no-such-job", KIM),
    ),
    "core.registry.approvals.open_request": (
        Action.REQUEST,
        lambda ws, _: approvals.open_request(ws, "risk", 1, "production", KIM, "better"),
    ),
    "core.registry.approvals.approve": (
        Action.APPROVE,
        lambda ws, p: approvals.approve(ws, p.open_request, KIM),
    ),
    "core.registry.approvals.reject": (
        Action.APPROVE,
        lambda ws, p: approvals.reject(ws, p.open_request, KIM, "no"),
    ),
    "core.registry.approvals.request_changes": (
        Action.APPROVE,
        lambda ws, p: approvals.request_changes(ws, p.open_request, KIM, "more"),
    ),
    "core.registry.approvals.withdraw": (
        Action.REQUEST,
        lambda ws, p: approvals.withdraw(ws, p.own_request, KIM),
    ),
    "core.registry.approvals.comment": (
        Action.COMMENT,
        lambda ws, p: approvals.comment(ws, p.open_request, KIM, "seen"),
    ),
    "core.registry.approvals.override_gate": (
        Action.OVERRIDE_GATE,
        lambda ws, p: approvals.override_gate(ws, p.open_request, "no such gate", KIM, "so"),
    ),
    "core.registry.attach.attach": (
        Action.REGISTER,
        lambda ws, p: attach.attach(ws, p.run_id, "report", "PASS", {"a": 1}, KIM),
    ),
    "core.registry.register.register": (
        Action.REGISTER,
        lambda ws, p: register.register(ws, p.run_id, "risk", KIM),
    ),
    "core.registry.retirement.archive_version": (
        Action.ARCHIVE_VERSION,
        lambda ws, _: retirement.archive_version(ws, "risk", 1, KIM, "superseded"),
    ),
    "core.registry.retirement.restore_version": (
        Action.ARCHIVE_VERSION,
        lambda ws, _: retirement.restore_version(ws, "risk", 1, KIM, "wanted again"),
    ),
    "core.registry.retirement.delete_version": (
        Action.DELETE_VERSION,
        lambda ws, _: retirement.delete_version(ws, "risk", 1, KIM, "wrong units"),
    ),
    "core.registry.deputies.name_deputy": (
        Action.NAME_DEPUTY,
        lambda ws, _: deputies.name_deputy(ws, KIM, "opal", TOMORROW),
    ),
    "core.registry.deputies.end_deputy": (
        Action.NAME_DEPUTY,
        lambda ws, _: deputies.end_deputy(ws, KIM, "opal"),
    ),
    "core.registry.freezes.freeze": (
        Action.FREEZE,
        lambda ws, _: freezes.freeze(ws, "risk", "production", KIM, "audit"),
    ),
    "core.registry.freezes.lift": (
        Action.LIFT_FREEZE,
        lambda ws, _: freezes.lift(ws, "risk", "production", KIM, "over"),
    ),
    "core.registry.policy.publish": (
        Action.PUBLISH_POLICY,
        lambda ws, _: policy.publish(ws, _policy(ws), KIM),
    ),
    "core.registry.promotion.carry_out": (
        Action.PROMOTE,
        lambda ws, _: promotion.carry_out(
            ws, promotion.plan_promotion(ws, "risk", 3, "staging"), KIM, "better"
        ),
    ),
    "core.registry.reviews.review": (
        Action.REVIEW,
        lambda ws, _: reviews.review(ws, "op-1", KIM, "it was right"),
    ),
    "core.registry.signing.enrol": (
        Action.VIEW,
        lambda ws, _: signing.enrol(ws, KIM, "correct horse battery"),
    ),
    "core.registry.standing.repair": (
        Action.RECONCILE,
        lambda ws, _: standing.repair(ws, "risk", "production", KIM, "moved by hand"),
    ),
    "core.deploy.release.carry_out": (
        Action.ROLL_BACK,
        lambda ws, _: release.carry_out(
            ws, release.plan_rollback(ws, "risk", "production", "3"), KIM, "bad", None
        ),
    ),
    "core.deploy.rollout.deploy": (
        Action.DEPLOY,
        lambda ws, _: rollout.deploy(ws.deployments, _deploy_plan(), KIM, "better"),
    ),
    "core.deploy.rollback.rollback": (
        Action.ROLL_BACK,
        lambda ws, p: rollback.rollback(ws.deployments, _rollback_plan(p), KIM, " "),
    ),
    "core.deploy.adopt.adopt": (
        Action.DEPLOY,
        lambda ws, _: adopt.adopt(ws.deployments, _adopt_plan(ws), KIM),
    ),
    "core.deploy.trials.start": (
        Action.DEPLOY,
        lambda ws, _: trials.start(ws.deployments, _deploy_plan(), TrialSpec(), KIM, "try it"),
    ),
    "core.deploy.trials.check_start": (
        Action.DEPLOY,
        lambda ws, _: trials.check_start(ws.deployments, _deploy_plan(), TrialSpec(), KIM),
    ),
    "core.deploy.trial_plan.check_change": (
        Action.ROLL_BACK,
        lambda ws, _: trial_plan.check_change(ws.deployments, "abort", _trial(), KIM, "bad"),
    ),
    "core.deploy.trials.pause": (
        Action.DEPLOY,
        lambda ws, _: trials.pause(ws.deployments, _trial(), KIM, "wait"),
    ),
    "core.deploy.trials.resume": (
        Action.DEPLOY,
        lambda ws, _: trials.resume(ws.deployments, _trial(), KIM, "go on"),
    ),
    "core.deploy.trials.abort": (
        Action.ROLL_BACK,
        lambda ws, _: trials.abort(ws.deployments, _trial(), KIM, "bad"),
    ),
    "core.deploy.drill.drill": (
        Action.ROLL_BACK,
        lambda ws, _: drill.drill(ws.deployments, DrillPlan(key=KEY, live=1, target=99, warm=False), KIM),
    ),
    "core.deploy.shadow.replay": (Action.DEPLOY, lambda ws, _: shadow.replay(ws.deployments, KEY, 99, KIM)),
    "core.deploy.shadow.planned": (Action.DEPLOY, lambda ws, _: shadow.planned(ws.deployments, KEY, 99, KIM)),
    "core.drift.alerts.record_findings": (
        Action.MONITOR,
        lambda ws, _: alerts.record_findings(ws, [MonitorReport(**PLACE, status=Status.OK, reason="")], KIM),
    ),
    "core.drift.alerts.acknowledge": (Action.ACKNOWLEDGE, lambda ws, _: alerts.acknowledge(ws, "a-1", KIM)),
    "core.drift.alerts.snooze": (
        Action.ACKNOWLEDGE,
        lambda ws, _: alerts.snooze(ws, "a-1", KIM, TOMORROW, datetime.now(UTC)),
    ),
    "core.drift.alerts.reopen": (Action.ACKNOWLEDGE, lambda ws, _: alerts.reopen(ws, "a-1", KIM)),
    "core.drift.alerts.resolve": (Action.ACKNOWLEDGE, lambda ws, _: alerts.resolve(ws, "a-1", KIM, " ")),
    "core.drift.alerts.request_retraining": (
        Action.REQUEST,
        lambda ws, _: alerts.request_retraining(ws, "a-1", KIM, "drifted"),
    ),
    "core.drift.column_kinds.set_kind": (
        Action.ACKNOWLEDGE,
        lambda ws, _: column_kinds.set_kind(ws, "risk", "age", ColumnKind.TEXT, KIM, "words"),
    ),
    "core.evidence.pack.export_pack": (Action.EXPORT, lambda ws, _: pack.export_pack(ws, "risk", 99, KIM)),
    "core.evidence.pack.preview": (
        Action.EXPORT,
        lambda ws, _: pack.preview(ws, "risk", 99, KIM, ws.root / "pack.zip"),
    ),
    "core.evidence.pack.export_to": (
        Action.EXPORT,
        lambda ws, _: pack.export_to(ws, "risk", 99, KIM, ws.root / "pack.zip"),
    ),
    "core.views.save_view": (
        Action.COMMENT,
        lambda ws, _: views.save_view(ws, "compare", "mine", "a=1", KIM),
    ),
    "core.views.remove_view": (Action.COMMENT, lambda ws, _: views.remove_view(ws, "compare", "own", KIM)),
}


def found_in_code() -> set[str]:
    """Public functions that take an ``Actor``."""
    names = set()
    for file in (ROOT / "core").rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        if {"cli", "demo", "ledger"} & set(parts):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
                if any(ast.unparse(item.annotation) == "Actor" for item in arguments if item.annotation):
                    names.add(".".join((*parts, node.name)))
    return names


def test_every_function_that_takes_a_person_is_in_the_table() -> None:
    assert found_in_code() == READERS | set(WRITES)


def test_the_readme_says_the_same() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    head = re.search(r"\| action \|(.*)\|\n", text)
    assert head
    roles = [cell.strip() for cell in head[1].split("|")]
    told = {
        action: {role for role, cell in zip(roles, cells.split("|"), strict=True) if cell.strip()}
        for action, cells in re.findall(
            r"^\| `([\w-]+)`:[^|]*\|([^\n]*)\|$", text[head.end() :], re.MULTILINE
        )
        if action in set(Action)
    }
    assert told == {str(action): {role for role in ROLES if action in ROLES[role]} for action in Action}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    desk = ruled_desk(tmp_path_factory.mktemp("roles"))
    wanted = approvals.open_request(desk.ws, "risk", 1, "production", ADAM, "first")
    approvals.approve(desk.ws, wanted.request_id, LEAD, passphrase="correct horse battery staple")
    desk.promote(1)
    found = approvals.open_request(desk.ws, "risk", 2, "production", ADAM, "better")
    with_kim = desk.again(access=access("contributor"))
    own = approvals.open_request(with_kim.ws, "risk", 3, "production", KIM, "mine")
    rolled = RolledBack(
        **PLACE,
        operation_id="op-1",
        from_version=2,
        to_version=1,
        review_due=TOMORROW,
        reason="scores drifted",
    )
    desk.ws.ledger.append(rolled, OPAL)
    raised = DriftAlertRaised(**PLACE, alert_id="a-1", severity="warning", summary="moved", finding="drift")
    desk.ws.ledger.append(raised, OPAL)
    desk.ws.ledger.append(ViewSaved(page="compare", name="own", query="a=1"), KIM)
    run_id = desk.ws.registry.version("risk", 1).run_id
    assert run_id
    return Prepared(desk, found.request_id, own.request_id, run_id)


def access(role: str) -> AccessSection:
    people = (
        GrantSection(user=actor.name, role=name) for actor, name in ((CLIN, "approver"), (OPAL, "operator"))
    )
    return AccessSection(
        mode="oidc",
        grants=(GrantSection(user="kim", role=role), *people, GrantSection(user=RINA.name, role="viewer")),
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_asks_for_its_right(prepared: Prepared, name: str, role: str) -> None:
    action, write = WRITES[name]
    # Every check of a rehearsal is the real one, and what a write leaves is not there for the next.
    ws = Rehearsal(prepared.desk.again(access=access(role)).ws.settings)
    refused = None
    try:
        write(ws, prepared)
    except Refused as error:
        refused = error if f"Kim has the role {role}" in error.what and "needs" in error.what else None
    except ModelDeskError:
        pass  # the right was there; that there was nothing to do is another matter
    if action in ROLES[role]:
        assert refused is None, refused
        return
    assert refused is not None and f"'{action}' needs" in refused.what
    left = [record.kind for record in ws.ledger.would_add]
    assert set(left) <= {"action_refused"}, "a refused write leaves nothing but its refusal"


def _policy(ws: Workspace) -> policy.Policy:
    found = policy.policy_of(ws)
    assert found is not None
    return found


def _run_plan(ws: Workspace) -> reproduce.RunPlan:
    return reproduce.RunPlan(project=ws.root, command=("repro",), stages=(), findings=())


def _deploy_plan() -> rollout.DeployPlan:
    return rollout.DeployPlan(
        key=KEY, from_version=1, to_version=99, alias="champion", share=100, warm=False, allow_code=False,
        steps=(),
    )  # fmt: skip


def _trial() -> Trial:
    return Trial(
        id="t-1", key=KEY, kind=TrialKind.CANARY, state=TrialState.RUNNING, live=1, candidate=99, shares=(10,),
        past=(Step(share=10, since=TOMORROW),), baseline={}, started_at=TOMORROW, by=OPAL,
    )  # fmt: skip


def _adopt_plan(ws: Workspace) -> adopt.AdoptPlan:
    live = ws.ledger.state().live("risk", "production")
    assert live is not None
    return adopt.AdoptPlan(key=KEY, live=live, previous=None)


def _rollback_plan(prepared: Prepared) -> rollback.RollbackPlan:
    target = rollback.RollbackTarget(version=1, served=prepared.served(), warm=True)
    return rollback.RollbackPlan(
        key=KEY, from_version=2, target=target, asked_for="1", alias="champion", steps=()
    )
