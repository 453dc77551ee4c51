"""Several people answer the same request at the same moment: each answer counts once, and nothing contradicts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import Conflict, ModelDeskError, Refused
from core.registry import approvals
from core.workspace import Workspace
from tests.contract.registry_desk import CLIN, LEAD
from tests.contract.test_approvals import WORDS, DeskSetup, ask, ruled_desk


def at_once(desk: DeskSetup, *answers: Callable[[Workspace], object]) -> list[object]:
    """What came of each answer; every one has its own connection, as every browser session has."""

    def carried_out(answer: Callable[[Workspace], object]) -> object:
        try:
            return answer(desk.again().ws)
        except ModelDeskError as error:
            return error

    with ThreadPoolExecutor(len(answers)) as pool:
        return list(pool.map(carried_out, answers))


@pytest.fixture
def desk(tmp_path: Path) -> DeskSetup:
    return ruled_desk(tmp_path, needs=2)


def signing(request_id: str, actor) -> Callable[[Workspace], object]:
    return lambda ws: approvals.approve(ws, request_id, actor, passphrase=WORDS)


def test_two_leads_approving_at_once_are_two_approvals(desk: DeskSetup) -> None:
    found = ask(desk)
    outcomes = at_once(desk, signing(found.request_id, LEAD), signing(found.request_id, CLIN))
    assert not any(isinstance(outcome, ModelDeskError) for outcome in outcomes), outcomes
    assert approvals.judge(desk.ws, approvals.find_request(desk.ws, found.request_id)).has == 2
    assert desk.kinds().count("approval_signed") == 2


def test_one_lead_in_two_tabs_is_one_approval(desk: DeskSetup) -> None:
    found = ask(desk)
    outcomes = at_once(desk, *[signing(found.request_id, LEAD)] * 3)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 2 and all("signed this request already" in error.what for error in refused)
    assert desk.kinds().count("approval_signed") == 1


def test_approval_and_rejection_at_once_end_in_one_state(desk: DeskSetup) -> None:
    found = ask(desk)
    no = lambda ws: approvals.reject(ws, found.request_id, CLIN, "recall fell", WORDS)  # noqa: E731
    at_once(desk, signing(found.request_id, LEAD), no)
    after = approvals.judge(desk.ws, approvals.find_request(desk.ws, found.request_id))
    assert after.state == "rejected"
    kinds = desk.kinds()
    if "approval_signed" in kinds:
        assert kinds.index("approval_signed") < kinds.index("request_rejected"), (
            "nobody signs what is rejected"
        )
    with pytest.raises(Conflict, match="is rejected"):
        approvals.approve(desk.ws, found.request_id, LEAD, passphrase=WORDS)
