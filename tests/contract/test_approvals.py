"""Requests, approvals and gates, on a real MLflow store and a real ledger."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from core.access import demo_actor
from core.cli.main import app
from core.errors import ApprovalMissing, BadInput, Conflict, Refused
from core.ledger.events import DeputyNamed
from core.ledger.schema import projection
from core.registry import approvals
from core.registry.dossier import dossier
from core.registry.policy import policy_of, publish, read_policy
from core.registry.requests import approved_basis, judge
from core.registry.signing import enrol
from core.workspace import open_workspace
from tests.contract.registry_desk import ADAM, CLIN, LEAD, OPAL, RINA, VERA, DeskSetup, new_desk
from tests.watched_workspace import build

POLICY = """name: release
tiers:
  - name: high
    models: [risk]
    needs: {needs}
    expires_days: {days}
{gates}  - name: low
    models: ["*"]
    environments: []
"""
WORDS = "correct horse battery staple"


def write_policy(folder: Path, needs: int = 1, days: float = 14, gates: str = "") -> Path:
    file = folder / "policy.yaml"
    file.write_text(POLICY.format(needs=needs, days=days, gates=gates))
    return file


def ruled_desk(folder: Path, **policy: object) -> DeskSetup:
    """A desk under a published policy, with approvers who have a passphrase."""
    desk = new_desk(folder, policy=write_policy(folder, **policy))
    found = policy_of(desk.ws)
    assert found is not None
    publish(desk.ws, found, ADAM)
    for signer in (LEAD, CLIN):
        enrol(desk.ws, signer, WORDS)
    return desk


@pytest.fixture
def desk(tmp_path) -> DeskSetup:
    return ruled_desk(tmp_path)


def ask(desk: DeskSetup, version: int = 2, actor=ADAM):
    return approvals.open_request(desk.ws, "risk", version, "production", actor, "better recall")


def sign(desk: DeskSetup, request_id: str, actor=LEAD):
    return approvals.approve(desk.ws, request_id, actor, passphrase=WORDS)


def run_of(desk: DeskSetup, version: int) -> str:
    run_id = desk.ws.registry.version("risk", version).run_id
    assert run_id
    return run_id


def test_a_promotion_is_refused_then_allowed(desk):
    with pytest.raises(ApprovalMissing, match="nobody has requested"):
        desk.promote(2)
    found = ask(desk)
    assert (found.state, found.needs, found.has, found.reasons) == ("open", 1, 0, ("0 of 1 approvals",))
    with pytest.raises(ApprovalMissing, match=rf"{found.request_id}.*is open: 0 of 1 approvals") as error:
        desk.promote(2)
    assert found.url in error.value.way_out
    assert desk.champion() is None
    assert sign(desk, found.request_id).state == "approved"
    desk.promote(2)
    record = desk.last()
    assert (record.payload["basis"], record.payload["request_id"]) == ("approved", found.request_id)
    assert record.payload["policy_version"] == 1


def test_an_approval_releases_once(desk):
    first = ask(desk, 1)
    sign(desk, first.request_id)
    desk.promote(1)
    second = ask(desk, 2)
    sign(desk, second.request_id)
    desk.promote(2)
    desk.roll_back()
    assert desk.champion() == 1
    with pytest.raises(ApprovalMissing, match="used up"):
        approved_basis(desk.ws, "risk", 2, "production")


def test_asking_again_gives_the_same_request(desk):
    first = ask(desk)
    assert ask(desk, actor=RINA).request_id == first.request_id
    assert desk.kinds().count("request_opened") == 1


def test_four_eyes(desk):
    found = ask(desk, actor=ADAM)
    for actor, words in ((ADAM, "requested it"), (RINA, "trained the model"), (VERA, "'approve' needs")):
        with pytest.raises(Refused, match=words):
            sign(desk, found.request_id, actor)
    assert judge(desk.ws, found.request).has == 0


def test_a_quorum_counts_people_once(tmp_path):
    desk = ruled_desk(tmp_path, needs=2)
    found = ask(desk)
    assert sign(desk, found.request_id).state == "open"
    with pytest.raises(Refused, match="signed this request already"):
        sign(desk, found.request_id)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    named = DeputyNamed(deputy="opal", principal="lead", until=tomorrow)
    desk.ws.ledger.append(named, LEAD)
    enrol(desk.ws, OPAL, WORDS)
    # The deputy stands in for Lea, who signed: both are one approval.
    assert sign(desk, found.request_id, OPAL).has == 1
    assert sign(desk, found.request_id, CLIN).state == "approved"


def test_a_changed_metric_makes_it_stale(desk):
    found = ask(desk)
    sign(desk, found.request_id)
    desk.store.client.log_metric(run_of(desk, 2), "auroc", 0.99)
    after = judge(desk.ws, approvals.find_request(desk.ws, found.request_id))
    assert after.state == "stale" and "the run's metrics" in after.reasons[0]
    with pytest.raises(ApprovalMissing, match=r"stale.*metrics"):
        desk.promote(2)
    with pytest.raises(Conflict, match="stale"):
        sign(desk, found.request_id, CLIN)
    again = ask(desk)
    assert again.request_id != found.request_id and again.has == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda desk: desk.store.alias("risk", "champion", 3), "the live version"),
        (lambda desk: (folder_of(desk) / "model.skops").write_text("other"), "the model's files"),
        (lambda desk: write_policy(desk.ws.root, needs=1, days=99), "the policy's text"),
    ],
)
def test_other_changes_make_it_stale(desk, change, said):
    found = ask(desk)
    sign(desk, found.request_id)
    change(desk)
    after = judge(desk.ws, approvals.find_request(desk.ws, found.request_id))
    assert after.state == "stale" and said in after.reasons[0]


def folder_of(desk: DeskSetup) -> Path:
    folder = desk.ws.registry.folder("risk", 2)
    assert folder
    return folder


def test_an_edited_policy_must_be_published_first(desk):
    write_policy(desk.ws.root, days=99)
    with pytest.raises(Refused, match="not published"):
        ask(desk, actor=RINA)
    found = policy_of(desk.ws)
    assert found is not None
    assert publish(desk.ws, found, ADAM) == 2
    assert publish(desk.ws, found, ADAM) == 2
    with pytest.raises(Refused, match="publish-policy"):
        publish(desk.ws, found, LEAD)
    assert ask(desk, actor=RINA).request.opened.policy_version == 2


def test_a_request_expires(tmp_path):
    desk = ruled_desk(tmp_path, days=1.5 / 86400)
    found = ask(desk)
    sign(desk, found.request_id)
    time.sleep(max(0, (found.request.opened.expires_at - datetime.now(UTC)).total_seconds()) + 0.01)
    with pytest.raises(ApprovalMissing, match="expired"):
        desk.promote(2)
    assert ask(desk).request_id != found.request_id
    assert desk.ws.ledger.state().requests[found.request_id].closed == "expired"


def test_rejected_withdrawn_and_changes_wanted(desk):
    found = ask(desk)
    sign(desk, found.request_id)
    after = approvals.request_changes(desk.ws, found.request_id, CLIN, "add the subgroup table")
    assert (after.state, after.has) == ("changes requested", 1)
    with pytest.raises(Refused, match="Only Adam Admin"):
        approvals.withdraw(desk.ws, found.request_id, RINA)
    assert approvals.withdraw(desk.ws, found.request_id, ADAM, "later").state == "withdrawn"
    with pytest.raises(Conflict, match="is withdrawn"):
        sign(desk, found.request_id, CLIN)
    other = ask(desk)
    with pytest.raises(BadInput, match="reason"):
        approvals.reject(desk.ws, other.request_id, LEAD, " ", WORDS)
    after = approvals.reject(desk.ws, other.request_id, LEAD, "recall fell", WORDS)
    assert (after.state, after.reasons) == ("rejected", ("rejected by Lea Lead: recall fell",))
    with pytest.raises(ApprovalMissing, match="rejected"):
        desk.promote(2)


def test_a_signature_needs_its_passphrase(desk):
    found = ask(desk)
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(Refused, match="wrong") as error:
            approvals.approve(desk.ws, found.request_id, LEAD, passphrase="guess")
        assert (f"{left} tries" in error.value.way_out) is (left > 0)
    with pytest.raises(Refused, match="locked"):
        sign(desk, found.request_id)
    assert desk.last().payload["locked"] is True
    signed = sign(desk, found.request_id, CLIN).request.signatures[0]
    assert signed.event.authenticated and signed.event.meaning == "I approve release to production"
    raw = sqlite3.connect(desk.ws.root / "ledger.db").execute("SELECT passphrase_hash FROM ledger_signers")
    assert all(row[0].startswith("$argon2id$") for row in raw)


def test_a_crash_between_alias_and_record_keeps_the_right(desk, monkeypatch):
    from core.registry import promotion

    found = ask(desk)
    sign(desk, found.request_id)
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "Promoted", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            desk.promote(2, key="job-1")
    assert desk.champion() == 2
    desk.promote(2, key="job-1")
    assert desk.last().payload["request_id"] == found.request_id


def test_staging_and_models_without_a_tier(tmp_path):
    desk = ruled_desk(tmp_path)
    assert approved_basis(desk.ws, "risk", 2, "staging").name == "not required"
    text = (tmp_path / "policy.yaml").read_text().replace('["*"]', "[triage]").replace("[risk]", "[other]")
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(Refused, match="No tier"):
        desk.promote(2)


def test_gates_bind_a_request(tmp_path):
    desk = ruled_desk(tmp_path, gates="    min_rows: 50\n    gates:\n      - {metric: auroc, min: 0.815}\n")
    failing = ask(desk, 1)
    with pytest.raises(Refused, match="failed"):
        sign(desk, failing.request_id)
    with pytest.raises(BadInput, match="no inconclusive gate"):
        approvals.override_gate(desk.ws, failing.request_id, "auroc >= 0.815", LEAD, "still good")
    found = ask(desk, 2)
    assert sign(desk, found.request_id).state == "open"
    with pytest.raises(ApprovalMissing, match="'test rows' is INCONCLUSIVE"):
        desk.promote(2)
    after = approvals.override_gate(desk.ws, found.request_id, "test rows", CLIN, "external study")
    assert after.state == "approved"
    desk.promote(2)


def test_a_failed_gate_on_drift_is_accepted_by_an_approver_with_a_reason_on_the_record(tmp_path):
    """What is to replace a live version that drifts must not be kept out by that very drift."""
    build(tmp_path, moved=1)
    watched = {
        "model": "risk",
        "predictions": tmp_path / "predictions",
        "reference": tmp_path / "train.parquet",
    }
    gates = "    gates:\n      - {metric: auroc, min: 0.9}\n"
    desk = ruled_desk(tmp_path, gates="    drift: [monitor]\n").again(monitors=[watched])
    found, gate = ask(desk), "monitor of the live version"
    with pytest.raises(Refused, match=r"1 of 2 tested columns drifted: age.*Accept that data have changed"):
        sign(desk, found.request_id)
    refused = dossier(desk.ws, found.request_id, LEAD).rights.approve
    assert refused is not None and "it has to be accepted, with a reason" in refused.what
    for actor, reason, error in ((ADAM, "mine", Refused), (OPAL, "no right", Refused), (CLIN, " ", BadInput)):
        with pytest.raises(error):
            approvals.override_gate(desk.ws, found.request_id, gate, actor, reason)
    approvals.override_gate(desk.ws, found.request_id, gate, CLIN, "trained for the new ward")
    (record,) = [one for one in desk.ws.ledger.records() if one.kind == "gate_overridden"]
    assert (record.actor.name, record.reason) == ("clin", "trained for the new ward")
    assert sign(desk, found.request_id).state == "approved"
    desk.promote(2)
    (line,) = dossier(desk.ws, found.request_id, LEAD).gates
    assert (line.verdict, line.overridden_by) == ("FAIL", "Clio Clinician: trained for the new ward")
    write_policy(tmp_path, gates=gates + "    drift: [monitor]\n")
    publish(desk.ws, policy_of(desk.ws), ADAM)
    both = ask(desk, 3)
    approvals.override_gate(desk.ws, both.request_id, gate, CLIN, "the same ward")
    with pytest.raises(Refused, match="A failed gate cannot be approved"):
        sign(desk, both.request_id)


def test_the_command_line(tmp_path):
    """Local mode: the person here asks, the demo user signs."""
    desk = new_desk(tmp_path)
    write_policy(tmp_path)
    (tmp_path / "modeldesk.toml").write_text(
        f'policy = "policy.yaml"\n[mlflow]\ntracking_uri = "{desk.store.uri}"\n'
        '[[access.users]]\nname = "rev"\ndisplay_name = "Dr. Rev"\ndemo = true\n'
        '[[access.grants]]\nuser = "rev"\nrole = "approver"\n'
    )

    def run(*words: str) -> tuple[int, dict]:
        result = CliRunner().invoke(app, [*words, "--workspace", str(tmp_path), "--output", "json"])
        return result.exit_code, json.loads(result.stdout)

    assert run("approval", "check", "risk/2")[1]["state"] == "missing"
    code, opened = run("request-approval", "risk", "--version", "2", "--reason", "better")
    assert (code, opened["state"], opened["needs"], opened["has"]) == (0, "open", 1, 0)
    assert run("approval", "check", opened["request_id"])[0] == 5
    code, signed = run("approve", opened["request_id"], "--as", "rev", "--meaning", "I approve")
    assert (code, signed["state"], signed["has"]) == (0, "approved", 1)
    assert run("approval", "check", "risk/2")[0] == 0
    set_up = CliRunner().invoke(app, ["monitor", "--workspace", str(tmp_path)])
    assert set_up.exit_code == 0 and "No model is watched. Add a [[monitors]] section" in set_up.stderr
    listed = run("approval", "list")[1]["requests"]
    assert [(item["model"], item["version"], item["state"]) for item in listed] == [("risk", 2, "approved")]
    assert run("promote", "risk", "--version", "2", "--reason", "approved")[1]["to_version"] == 2
    assert read_policy(tmp_path / "policy.yaml").name == "release"
    ws = open_workspace(tmp_path)
    enrol(ws, demo_actor(ws.settings, "rev"), WORDS)
    for words in (["approve", "req-none"], ["approval", "reject", "req-none", "--reason", "no"]):
        result = CliRunner().invoke(app, [*words, "--as", "rev", "--workspace", str(tmp_path)])
        assert "There is no request 'req-none'" in str(result.exception)
        assert "Passphrase" not in result.stderr


def test_an_approval_that_is_only_in_the_stored_state_releases_nothing(desk):
    """Somebody with the database's password writes it beside the events: a release asks the events."""
    found = ask(desk)
    ledger = desk.ws.ledger
    with ledger.database.writing() as connection:
        forged = sa.func.replace(projection.c.value, '"needs":1', '"needs":0')
        connection.execute(sa.update(projection).where(projection.c.part == "requests").values(value=forged))
    again = desk.again()
    assert judge(again.ws, again.ws.ledger.state().requests[found.request_id]).state == "approved"
    with pytest.raises(ApprovalMissing, match="0 of 1"):
        again.promote(2)
    assert again.champion() is None
    assert not again.ws.ledger.verify().ok
