"""A quorum that asks for groups, and reminders of requests that wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import DESK
from core.errors import ApprovalMissing, BadSettings
from core.ledger.store import Ledger
from core.notify.outbox import Outbox
from core.registry import approvals
from core.registry.deadlines import record_expired, record_reminders
from core.registry.deputies import name_deputy
from core.registry.policy import parse_policy
from core.registry.queue import queue
from core.registry.quorum import missing_groups
from core.registry.requests import approved_basis, find_request, judge
from core.registry.signing import enrol
from core.settings import AccessSection, ChannelSection, GrantSection, NotifySection, UserSection
from core.workspace import Workspace
from tests.contract.registry_desk import ADAM, CLIN, GRANTS, LEAD, OPAL, RINA, DeskSetup
from tests.contract.test_approvals import WORDS, ruled_desk

GROUPS = st.sampled_from(("clinical", "lead", "safety"))


@given(
    wanted=st.dictionaries(GROUPS, st.integers(1, 2), max_size=3),
    signers=st.lists(st.sets(GROUPS, max_size=3), max_size=5),
)
def test_as_many_places_are_filled_as_can_be(wanted: dict[str, int], signers: list[set[str]]) -> None:
    graph = networkx.Graph()
    places = [(group, number) for group, count in wanted.items() for number in range(count)]
    graph.add_nodes_from(places)
    graph.add_edges_from(
        (place, signer) for place in places for signer, own in enumerate(signers) if place[0] in own
    )
    most = len(networkx.bipartite.maximum_matching(graph, top_nodes=places)) // 2
    assert len(missing_groups(wanted, signers)) == len(places) - most


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> DeskSetup:
    """Clio is a clinician, Lea leads, Olaf is neither; one clinician and one lead must sign."""
    desk = ruled_desk(tmp_path_factory.mktemp("groups"), gates="    groups: {clinical: 1, lead: 1}\n")
    users = (
        UserSection(name="clin", display_name="Clio Clinician", groups=("clinical",)),
        UserSection(name="lead", display_name="Lea Lead", groups=("lead", "clinical")),
        UserSection(name="opal", display_name="Opal Operator"),
    )
    grants = (*GRANTS, GrantSection(user="opal", role="approver"))
    return desk.again(access=AccessSection(mode="oidc", users=users, grants=grants))


def sign(desk: DeskSetup, request_id: str, *people) -> None:
    for one in people:
        approvals.approve(desk.ws, request_id, one, passphrase=None if one is OPAL else WORDS)


def test_approvals_of_the_groups_are_needed(grouped: DeskSetup) -> None:
    ws = grouped.ws
    found = approvals.open_request(ws, "risk", 2, "production", RINA, "better")
    assert (found.needs, found.missing) == (2, ("clinical", "lead"))
    sign(grouped, found.request_id, CLIN)
    found = judge(ws, find_request(ws, found.request_id))
    assert found.reasons == ("1 of 2 approvals", "nobody of lead has approved")
    (item,) = queue(ws, LEAD)
    assert item.next_step == "1 approval (lead)"
    with pytest.raises(ApprovalMissing, match="nobody of lead"):
        approved_basis(ws, "risk", 2, "production")
    sign(grouped, found.request_id, LEAD)
    assert approved_basis(ws, "risk", 2, "production").name == "approved"
    signed = [one.event for one in find_request(ws, found.request_id).signatures]
    assert [event.groups for event in signed] == [("clinical",), ("lead", "clinical")], (
        "as it was at that time"
    )
    approvals.withdraw(ws, found.request_id, RINA)


def test_one_person_of_two_groups_fills_one_place_and_a_deputy_their_principals(grouped: DeskSetup) -> None:
    ws = grouped.ws
    found = approvals.open_request(ws, "risk", 3, "production", RINA, "better")
    sign(grouped, found.request_id, LEAD)
    assert judge(ws, find_request(ws, found.request_id)).missing in (("clinical",), ("lead",))
    name_deputy(ws, CLIN, "adam", datetime.now(UTC) + timedelta(days=2))
    enrol(ws, ADAM, WORDS)
    sign(grouped, found.request_id, ADAM)
    found = judge(ws, find_request(ws, found.request_id))
    assert (found.state, found.missing) == ("approved", ())


def test_a_wrong_group_is_named() -> None:
    text = b"tiers:\n  - name: a\n    models: [x]\n    groups: {clinical: 0}\n"
    with pytest.raises(BadSettings, match=r"line 4: 'tiers\[0\].groups.clinical' is wrong"):
        parse_policy(text, "policy.yaml")


class Later(Workspace):
    """A workspace whose ledger writes the time that it is told."""

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger_url, lambda: CLOCK[0])


CLOCK = [datetime.now(UTC)]


def test_who_waits_is_reminded_twice_and_then_it_expires(tmp_path: Path) -> None:
    desk = ruled_desk(tmp_path, days=10)
    ws, begin = Later(desk.ws.settings), datetime.now(UTC)
    CLOCK[0] = begin
    asked = approvals.open_request(ws, "risk", 2, "production", RINA, "better").request_id
    channel = ChannelSection(
        name="clinicians", url="http://127.0.0.1:9/", kinds=("request_*",), people=("clin",)
    )
    outbox = Outbox(ws.ledger, NotifySection(base_url="https://desk.example", channels=(channel,)))
    outbox.fill(begin)
    told = []
    for days in (4.9, 5.1, 5.2, 8.9, 9.1, 9.2, 10.1, 11):
        CLOCK[0] = begin + timedelta(days=days)
        told.append((days, record_reminders(ws), record_expired(ws)))
    assert [(days, one, end) for days, one, end in told if one or end] == [
        (5.1, (asked,), ()),
        (9.1, (asked,), ()),
        (10.1, (), (asked,)),
    ]
    first, second = ws.ledger.records(kinds=("request_reminded",))
    assert (first.payload["percent"], second.payload["percent"]) == (50, 90)
    assert first.actor.name == DESK.name and first.payload["waits_for"] == ["lead", "clin"]
    outbox.fill(CLOCK[0])
    mine = [item for item in outbox.history() if item.kind == "request_reminded"]
    assert {item.title for item in mine} == {
        "risk v2 still waits for approval: 50 % of its time is over",
        "risk v2 still waits for approval: 90 % of its time is over",
    }
    assert all(item.link == f"https://desk.example/request?id={asked}" for item in mine)
    assert f"It expires on {begin + timedelta(days=10):%Y-%m-%d %H:%M} UTC." in mine[0].body


def test_nobody_is_reminded_of_what_is_decided(tmp_path: Path) -> None:
    desk = ruled_desk(tmp_path, days=10)
    ws, CLOCK[0] = Later(desk.ws.settings), datetime.now(UTC)
    asked = approvals.open_request(ws, "risk", 2, "production", RINA, "better").request_id
    approvals.approve(ws, asked, LEAD, passphrase=WORDS)
    other = approvals.open_request(ws, "risk", 3, "production", RINA, "better").request_id
    approvals.withdraw(ws, other, RINA)
    CLOCK[0] += timedelta(days=9.5)
    assert record_reminders(ws) == ()


def test_the_monitor_reminds_and_expires(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from core.cli.main import main
    from tests.release_workspace import make_stories

    stories = make_stories(tmp_path)
    past = Later(stories.ws.settings)
    CLOCK[0] = datetime.now(UTC) - timedelta(days=8)
    asked = approvals.open_request(past, "risk", 2, "production", stories.demo("chen"), "better").request_id
    CLOCK[0] = datetime.now(UTC) - timedelta(days=15)
    old = approvals.open_request(past, "risk", 3, "production", stories.demo("chen"), "better").request_id
    for wanted in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["core", "monitor", "--workspace", str(tmp_path), "--output", "json"])
            with pytest.raises(SystemExit):
                main()
        seen = capsys.readouterr()
        assert json.loads(seen.out)["checked"] == []
        assert (f"reminded of request {asked}" in seen.err, f"request {old} has expired" in seen.err) == (
            wanted,
            wanted,
        )
