"""Whatever people do in whatever order: nothing reaches production without a quorum, except by rolling back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.access import Actor
from core.errors import ModelDeskError
from core.ledger.types import Record
from core.registry import approvals
from core.registry.freezes import lift
from core.registry.plans import plan_promotion, plan_rollback
from core.registry.policy import policy_of, publish
from core.registry.promotion import carry_out
from core.registry.retirement import archive_version, restore_version
from core.settings import AccessSection
from core.workspace import Workspace
from tests.contract.registry_desk import new_desk
from tests.model_store import ModelStore

NEEDS = 2
POLICY = f"""name: release
tiers:
  - name: high
    models: [risk]
    needs: {NEEDS}
"""
# All of them hold every role in local mode, so that nothing but four eyes and the quorum stands in their way.
# "rina" trained every version.
PEOPLE = [Actor(name, name.capitalize()) for name in ("ana", "ben", "cleo", "rina")]

people, versions = st.sampled_from(PEOPLE), st.integers(1, 3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("request"), people, versions),
        st.tuples(st.just("approve"), people, st.integers(0, 5)),
        st.tuples(st.just("approve"), people, st.integers(0, 5)),
        st.tuples(st.just("promote"), people, versions),
        st.tuples(st.just("promote"), people, versions),
        st.tuples(st.sampled_from(["reject", "changes", "withdraw"]), people, st.integers(0, 5)),
        st.tuples(st.sampled_from(["roll back", "lift", "edit policy"]), people, st.just(0)),
        st.tuples(st.sampled_from(["log metric", "move alias", "archive", "restore"]), people, versions),
    ),
    min_size=4,
    max_size=25,
)


@pytest.fixture(scope="module")
def template() -> Path:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy.yaml").write_text(POLICY)
        desk = new_desk(folder, policy=folder / "policy.yaml")
        desk.ws.ledger.head()
        yield folder


@dataclass
class World:
    """The desk, and what happened as this test saw it: nothing of the desk's own judgement."""

    ws: Workspace
    store: ModelStore
    requests: list[str] = field(default_factory=list)
    touched: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0, 3: 0})
    policies: int = 0
    seen: dict[str, tuple] = field(default_factory=dict)

    def facts(self, version: int) -> tuple:
        """What a request for ``version`` is about: its metrics, the policy, the live version."""
        return self.touched[version], self.policies, self.ws.registry.model("risk").aliases.get("champion")

    def do(self, verb: str, who: Actor, number: int) -> None:
        if verb == "request":
            before = self.facts(number)
            found = approvals.open_request(self.ws, "risk", number, "production", who, "better")
            if found.request_id not in self.seen:
                self.requests.append(found.request_id)
                self.seen[found.request_id] = before
        elif verb == "promote":
            facts = self.facts(number)
            done = carry_out(self.ws, plan_promotion(self.ws, "risk", number), who, "better")
            if not done.repeated:
                record = self.ws.ledger.records(kinds=("promoted",))[-1]
                assert self.seen[record.payload["request_id"]] == facts, "promoted on stale evidence"
        elif verb == "roll back":
            carry_out(self.ws, plan_rollback(self.ws, "risk"), who, "drift")
        elif verb == "lift":
            lift(self.ws, "risk", "production", who, "fixed")
        elif verb == "edit policy":
            file = self.ws.settings.policy
            file.write_text(file.read_text() + "# again\n")
            self.policies += 1
            publish(self.ws, policy_of(self.ws), who)
        elif verb == "log metric":
            run_id = self.ws.registry.version("risk", number).run_id
            self.touched[number] += 1
            self.store.client.log_metric(run_id, "auroc", 0.5 + self.touched[number] / 1000)
        elif verb == "move alias":
            self.store.alias("risk", "champion", number)
        elif verb == "archive":
            archive_version(self.ws, "risk", number, who, "superseded")
        elif verb == "restore":
            restore_version(self.ws, "risk", number, who, "wanted again")
        elif self.requests:
            self._answer(verb, who, self.requests[number % len(self.requests)])

    def _answer(self, verb: str, who: Actor, request_id: str) -> None:
        if verb == "approve":
            approvals.approve(self.ws, request_id, who)
        elif verb == "reject":
            approvals.reject(self.ws, request_id, who, "no")
        elif verb == "changes":
            approvals.request_changes(self.ws, request_id, who, "more data")
        else:
            approvals.withdraw(self.ws, request_id, who)


def check_ledger(ws: Workspace) -> int:
    """Read the bare records, as an auditor would; gives back how many versions went live."""
    records = ws.ledger.records()
    served, live = set(), 0
    for place, record in enumerate(records):
        if record.kind == "rolled_back":
            assert record.payload["to_version"] in served
        if record.kind != "promoted":
            continue
        live += 1
        served.add(record.payload["to_version"])
        assert not out_of_use(records[:place], record.payload["to_version"])
        before = [
            item for item in records[:place] if item.payload.get("request_id") == record.payload["request_id"]
        ]
        opened = next(item for item in before if item.kind == "request_opened")
        assert opened.payload["version"] == record.payload["to_version"]
        signed = [item for item in before if item.kind == "approval_signed"]
        signers = {item.actor.name for item in signed if item.payload["digest"] == opened.payload["digest"]}
        assert len(signers - {opened.actor.name, opened.payload["run_author"]}) >= NEEDS
        assert not {"request_rejected", "request_withdrawn"} & {item.kind for item in before}
        assert opened.payload["run_author"] == "rina"
    assert ws.ledger.verify().ok
    return live


def out_of_use(records: Sequence[Record], version: int) -> bool:
    """Whether the newest event about its place says that the version is archived."""
    places = {"version_archived": "version", "version_restored": "version", "rolled_back": "to_version"}
    about = [one.kind for one in records if one.payload.get(places.get(one.kind, "")) == version]
    return about[-1:] == ["version_archived"]


def play(template: Path, folder: Path, story: list[tuple[str, Actor, int]]) -> int:
    shutil.copytree(template, folder, dirs_exist_ok=True)
    desk = new_desk_at(folder)
    for verb, who, number in story:
        try:
            desk.do(verb, who, number)
        except ModelDeskError:
            continue
    return check_ledger(desk.ws)


def new_desk_at(folder: Path) -> World:
    from core.settings import LedgerSection, MlflowSection, Settings

    store = ModelStore(folder / "mlflow")
    ws = Workspace(
        Settings(
            root=folder,
            mlflow=MlflowSection(tracking_uri=store.uri),
            ledger=LedgerSection(url=f"sqlite:///{folder}/ledger.db"),
            access=AccessSection(mode="local"),
            policy=folder / "policy.yaml",
        )
    )
    publish(ws, policy_of(ws), PEOPLE[0])
    return World(ws, store)


@pytest.mark.slow
@given(story=steps)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=False)
def test_no_order_of_events_reaches_production_without_a_quorum(template, story):
    with tempfile.TemporaryDirectory() as name:
        play(template, Path(name), story)


def test_the_straight_way_does_reach_production(template, tmp_path):
    ana, ben, cleo, rina = PEOPLE
    story = [
        ("promote", ana, 2),
        ("request", ana, 2),
        ("approve", ana, 0),
        ("approve", rina, 0),
        ("approve", ben, 0),
        ("promote", ana, 2),
        ("approve", ben, 0),
        ("promote", ana, 2),
        ("approve", cleo, 0),
        ("promote", ana, 2),
        ("promote", ana, 3),
        ("archive", ana, 2),
        ("archive", ana, 3),
        ("request", ana, 3),
    ]
    assert play(template, tmp_path, story) == 1
    kinds = [record.kind for record in new_desk_at(tmp_path).ws.ledger.records()]
    assert (kinds.count("version_archived"), kinds.count("request_opened")) == (1, 1)
