"""No order of asking, answering, changing and promoting reaches production without a valid quorum."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import Actor
from core.errors import ModelDeskError
from core.ledger.types import Record
from core.registry import approvals
from core.registry.freezes import lift
from core.registry.policy import policy_of, publish
from core.registry.promotion import carry_out, plan_promotion, plan_rollback
from core.settings import AccessSection, GrantSection, LedgerSection
from tests.contract.registry_desk import DeskSetup, new_desk

NEEDS = 2
HERE = Actor("here", "Whoever sits here")
AMY, BEN, CAT = (Actor(name, name.title(), "demo", demo=True) for name in ("amy", "ben", "cat"))
PEOPLE = (HERE, AMY, BEN, CAT)
RINA = Actor("rina", "Rina Researcher", "demo", demo=True)
NAMES = ("ask", "approve", "reject", "changes", "withdraw", "metric", "promote", "roll back", "lift")
POLICY = f"tiers:\n  - {{name: high, models: ['*'], needs: {NEEDS}}}\n"


@dataclass(frozen=True)
class Step:
    """What is tried, by whom, on which version."""

    name: str
    actor: Actor
    version: int


ONE = st.builds(Step, st.sampled_from(NAMES), st.sampled_from((*PEOPLE, RINA)), st.sampled_from((1, 2)))
ALMOST = st.sampled_from((1, 2)).map(
    lambda version: [
        Step("ask", HERE, version),
        Step("approve", AMY, version),
        Step("approve", BEN, version),
        Step("promote", CAT, version),
    ]
)
# Proper releases, the same in a wrong order, and anything in between.
STEPS = st.lists(
    st.one_of(ONE.map(lambda step: [step]), ALMOST.flatmap(lambda way: st.permutations(way)), ALMOST),
    min_size=2,
    max_size=5,
).map(lambda parts: [step for part in parts for step in part])
NUMBERS = count()


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> DeskSetup:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "policy.yaml").write_text(POLICY)
    return new_desk(folder)


def fresh(desk: DeskSetup) -> DeskSetup:
    """The same models with an empty ledger and no champion; local mode, so that nobody needs a passphrase."""
    client = desk.store.client
    if desk.champion() is not None:
        client.delete_registered_model_alias("risk", "champion")
    roles = ("approver", "contributor", "operator")
    grants = [GrantSection(user=person.name, role=role) for person in (*PEOPLE, RINA) for role in roles]
    file = desk.ws.root / f"ledger-{next(NUMBERS)}.db"
    template = desk.ws.root / "template.db"
    if template.exists():
        shutil.copy(template, file)
    url = f"sqlite:///{file}"
    new = desk.again(
        ledger=LedgerSection(url=url), access=AccessSection(grants=tuple(grants)), policy="policy.yaml"
    )
    found = policy_of(new.ws)
    assert found is not None
    if not template.exists():
        publish(new.ws, found, HERE)
        new.ws.ledger.database.engine.dispose()
        shutil.copy(file, template)
    return new


def attempt(desk: DeskSetup, step: Step, values: count) -> None:
    ws, version, actor = desk.ws, step.version, step.actor
    wanted = [item for item in ws.ledger.state().requests.values() if item.opened.version == version]
    request_id = wanted[-1].request_id if wanted else "none"
    match step.name:
        case "ask":
            approvals.open_request(ws, "risk", version, "production", actor, "better")
        case "approve":
            approvals.approve(ws, request_id, actor)
        case "reject":
            approvals.reject(ws, request_id, actor, "no")
        case "changes":
            approvals.request_changes(ws, request_id, actor, "more")
        case "withdraw":
            approvals.withdraw(ws, request_id, actor)
        case "metric":
            run_id = ws.registry.version("risk", version).run_id
            desk.store.client.log_metric(run_id, "auroc", next(values) / 1e6)
        case "promote":
            carry_out(ws, plan_promotion(ws, "risk", version), actor, "go")
        case "roll back":
            carry_out(ws, plan_rollback(ws, "risk"), actor, "drift")
        case "lift":
            lift(ws, "risk", "production", actor, "fixed")


def metric_of(desk: DeskSetup, version: int) -> float:
    run_id = desk.ws.registry.version("risk", version).run_id
    assert run_id
    return desk.ws.runs.run(run_id).metrics["auroc"]


def check_release(records: Sequence[Record], champion_before: int | None, metric: float) -> None:
    """The last record is a promotion: its right is worked out from the raw records alone."""
    promoted = records[-1]
    request_id = promoted.payload["request_id"]
    about = [item for item in records if item.payload.get("request_id") == request_id]
    opened = about[0]
    assert opened.kind == "request_opened"
    assert opened.payload["version"] == promoted.payload["to_version"]
    assert opened.payload["evidence"]["metrics"]["auroc"] == metric
    assert opened.payload["champion"] == champion_before
    signers = {item.actor.name for item in about if item.kind == "approval_signed"}
    assert len(signers - {opened.actor.name, "rina"}) >= NEEDS
    kinds = [item.kind for item in about]
    assert not {"request_rejected", "request_withdrawn", "request_expired"} & set(kinds)
    assert kinds.count("promoted") == 1
    if "changes_requested" in kinds:
        last = len(kinds) - 1 - kinds[::-1].index("changes_requested")
        assert "approval_signed" in kinds[last:]


RELEASES: list[str] = []


@settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_no_way_around_the_quorum(desk, steps):
    desk, values = fresh(desk), count(1)
    for step in steps:
        before, seen = desk.champion(), len(desk.ws.ledger.records())
        metric = metric_of(desk, step.version)
        try:
            attempt(desk, step, values)
        except ModelDeskError:
            assert desk.champion() == before
            continue
        if desk.champion() != before:
            records = desk.ws.ledger.records()
            moves = [item.kind for item in records[seen:] if item.kind in ("promoted", "rolled_back")]
            assert moves == ["rolled_back" if step.name == "roll back" else "promoted"]
            if step.name == "promote":
                check_release(records, before, metric)
                RELEASES.append(step.name)


def test_the_sequences_did_release():
    """The property says nothing when no sequence ever reaches a release."""
    assert RELEASES


def test_the_shortest_way(desk):
    desk = fresh(desk)
    for step in (Step("ask", HERE, 1), Step("approve", AMY, 1), Step("approve", BEN, 1)):
        with pytest.raises(ModelDeskError):
            attempt(desk, Step("promote", CAT, 1), count(1))
        attempt(desk, step, count(1))
    attempt(desk, Step("promote", CAT, 1), count(1))
    assert desk.champion() == 1
