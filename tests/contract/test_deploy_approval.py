"""What was approved is what goes live: under a published policy, with the files changed before and on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.deploy import code, gates, smoke
from core.deploy.rollout import deploy, plan_deploy
from core.deploy.serialization import Findings
from core.deploy.smoke import Failed
from core.deploy.types import Operation
from core.errors import ApprovalMissing, Refused
from core.registry import approvals
from core.registry.gatekeeper import NO_POLICY, Basis
from core.registry.policy import policy_of, publish
from core.registry.signing import enrol
from core.settings import DeploySection
from core.workspace import Workspace
from tests.cheap_workspace import EXAMPLE, MODEL, cheap_slots, says
from tests.contract.registry_desk import ADAM, LEAD, OPAL, new_desk
from tests.deploy_workspace import stop_all

POLICY = "name: release\ntiers:\n  - name: high\n    models: [risk]\n    needs: 1\n"
WORDS = "correct horse battery staple"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """v1 is approved and live; v2 is approved."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    serving = DeploySection(engine="embedded", bake_s=0)
    ws = new_desk(tmp_path, policy=tmp_path / "policy.yaml", deploy=serving).ws
    for mlmodel in (tmp_path / "mlflow").rglob("MLmodel"):
        mlmodel.with_name("serving_input_example.json").write_text(json.dumps(EXAMPLE))
    publish(ws, policy_of(ws), ADAM)
    enrol(ws, LEAD, WORDS)
    with cheap_slots():
        try:
            approve(ws, 1)
            assert ship(ws, 1).verified
            approve(ws, 2)
            yield ws
        finally:
            stop_all(ws)


def approve(ws: Workspace, version: int) -> None:
    request = approvals.open_request(ws, MODEL, version, "production", ADAM, "better recall")
    assert approvals.approve(ws, request.request_id, LEAD, passphrase=WORDS).state == "approved"


def ship(ws: Workspace, version: int) -> Operation:
    return deploy(ws.deployments, plan_deploy(ws.deployments, MODEL, version, "production"), OPAL, "test")


PICKLE = Findings(pickles=("model.pkl",), pickle_globals=("builtins.eval", "sklearn.svm.SVC"))


def test_a_pickle_needs_an_approval_that_names_what_it_runs(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approver's flag is not enough where two people have to stand for it; fewer names than found are none."""
    monkeypatch.setattr(gates, "inspect", lambda folder: PICKLE)
    monkeypatch.setattr(code, "inspect", lambda folder: PICKLE)
    assert code.allowed_by(Basis("approved", "req-1"), PICKLE, flagged_by="Lea Lead") == ""
    assert code.allowed_by(NO_POLICY, PICKLE, flagged_by="Lea Lead") == "Lea Lead"
    for names, served in ((PICKLE.names[:2], False), (PICKLE.names, True)):
        open_one = approvals.open_request(ws, MODEL, 2, "production", ADAM, "better recall")
        approvals.withdraw(ws, open_one.request_id, ADAM, "again")
        request = approvals.open_request(ws, MODEL, 2, "production", ADAM, "better recall").request_id
        with pytest.raises(Refused, match="Adam"):
            approvals.approve(ws, request, ADAM, allows_code=names)
        approvals.approve(ws, request, LEAD, passphrase=WORDS, allows_code=names)
        if served:
            assert ship(ws, 2).verified and says(ws) == 2
        else:
            with pytest.raises(
                Failed, match=r"pickle in model.pkl \(names builtins.eval, .*nobody allowed it"
            ):
                ship(ws, 2)
    assert code.code_of(ws, MODEL, 2, "production").names == ("pickle model.pkl", *PICKLE.pickle_globals)
    (deployed,) = [r for r in ws.ledger.records(kinds=("deployed",)) if r.payload["to_version"] == 2]
    assert f"allowed by approval {deployed.payload['request_id']}" in " ".join(deployed.payload["steps"])
    signed = ws.ledger.records(kinds=("approval_signed",))[-1]
    assert signed.payload["allows_code"] == list(PICKLE.names)


def change(ws: Workspace) -> None:
    (ws.registry.folder(MODEL, 2) / "model.skops").write_text("other weights")


def test_files_changed_after_the_approval_are_refused(ws: Workspace) -> None:
    change(ws)
    with pytest.raises(ApprovalMissing, match="stale: changed since it was requested"):
        ship(ws, 2)
    assert says(ws) == 1


def test_files_changed_while_it_is_deployed_are_refused(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = smoke.wait_healthy
    monkeypatch.setattr(smoke, "wait_healthy", lambda *args: (change(ws), healthy(*args))[1])
    with pytest.raises(ApprovalMissing, match=r"stale: .* In production v1 is still live"):
        ship(ws, 2)
    assert says(ws) == 1
    assert ws.ledger.records(kinds=("operation_failed",))[-1].payload["live_version"] == 1


def test_the_approval_is_named_in_the_record_and_used_up(ws: Workspace) -> None:
    assert ship(ws, 2).verified and says(ws) == 2
    record = ws.ledger.records(kinds=("deployed",))[-1]
    assert record.payload["basis"] == "approved" and record.payload["request_id"]
    with pytest.raises(ApprovalMissing, match="used up"):
        ship(ws, 2)
