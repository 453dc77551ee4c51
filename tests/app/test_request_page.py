"""The request page and the queue without a browser: bad input, odd names, refusals, and who sees what."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.deploy import code
from core.deploy.serialization import Findings
from core.registry import approvals
from core.registry.dossier import against_champion, gate_lines
from core.registry.signing import enrol, is_enrolled
from dashboard.palette import MISSING, NBSP, mark
from tests.app.test_registry_page import visit, words
from tests.release_workspace import MODEL, Stories, make_stories

ODD = "**b** :smile: $x$ <b>\"q\"</b> 'a' [l](http://e.example) 🧪 %25 " + "x" * 440
WORDS = "correct horse battery staple"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Stories:
    return make_stories(tmp_path_factory.mktemp("request") / "ws")


@pytest.fixture
def stories(built: Stories, monkeypatch: pytest.MonkeyPatch) -> Stories:
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(built.root))
    return built


def said(app: AppTest) -> str:
    return words(app) + "\n".join(item.value for item in (*app.warning, *app.error))


def test_an_unknown_request_says_so(stories: Stories) -> None:
    assert "There is no request 'req-none'" in said(visit("request", id="req-none"))
    assert "No request chosen" in said(visit("request"))


def test_a_version_is_judged_on_its_page_before_anybody_asks(stories: Stories) -> None:
    """The words and checks of the version page are those that a request for it opens with."""
    app = visit("version", model=MODEL, version="3")
    assert "Against v1, live in production" in words(app) and "paired over 600 test rows" in words(app)
    metrics, checks = (item.value for item in app.table)
    auroc = metrics.set_index("Metric").loc["auroc"]
    assert f" to{NBSP}" in auroc["Difference (95 %)"]
    values = [
        value
        for pair in metrics["v1 → v3"]
        for value in pair.replace(NBSP, " ").split(" → ")
        if value != MISSING
    ]
    assert values and all(len(value.split(".")[1]) == 4 for value in values)
    outcomes = dict(zip(checks["Check"], checks["Outcome"], strict=True))
    found = stories.ask(version=3, actor=stories.demo("chen"))
    verdicts = {item.metric: item for item in against_champion(stories.ws, found.request_id)}
    assert mark(str(verdicts["auroc"].word)).word.lower() in auroc["Verdict"]
    assert len(outcomes) == len(gate_lines(found)) == 4
    for gate in gate_lines(found):
        name = gate.name.replace(" against champion", " against v1")
        shown = next(outcome for check, outcome in outcomes.items() if check.replace("\\", "") == name)
        assert mark(gate.verdict).word in shown
    approvals.withdraw(stories.ws, found.request_id, stories.demo("chen"), "asked to compare only")
    live = visit("version", model=MODEL, version="1")
    assert "This version is live already." in words(live).replace("\\", "")
    assert "It went live without a request." in words(live).replace("\\", "")


def test_ones_own_request_shows_why_not(stories: Stories) -> None:
    mine = stories.ask(version=3, actor=stories.me)
    app = visit("request", id=mine.request_id)
    assert app.button(key="open_approve").disabled
    assert "somebody else must decide" in said(app).replace("\\", "")


def test_a_signature_allows_the_code_that_the_page_lists(
    stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = Findings(pickles=("model.pkl",), pickle_globals=("builtins.eval",))
    monkeypatch.setattr(code, "inspect", lambda folder: pickled)
    st.cache_data.clear()
    enrol(stories.ws, stories.me, WORDS)
    found = stories.ask(version=2)
    app = visit("request", id=found.request_id)
    assert "`builtins.eval`" in words(app) and "not allowed so far" in words(app)
    app.button(key="open_approve").click().run()
    app.text_input(key="passphrase").set_value(WORDS)
    app.checkbox(key="approve_code").check()
    next(item for item in app.button if item.label == "Sign approval").click().run()
    assert "allowed by the approval" in words(app)
    signed = stories.ws.ledger.records(kinds=("approval_signed",))[-1].payload
    assert signed["allows_code"] == ["pickle model.pkl", "builtins.eval"]
    approvals.withdraw(stories.ws, found.request_id, stories.demo("chen"), "tried")
    st.cache_data.clear()


def test_a_wrong_passphrase_five_times_locks(stories: Stories) -> None:
    found = stories.ask(version=2)
    ws = stories.ws
    if not is_enrolled(ws, stories.me.name):
        enrol(ws, stories.me, WORDS)
    app = visit("request", id=found.request_id)
    for left in (4, 3, 2, 1, 0):
        app.button(key="open_approve").click().run()
        app.text_input(key="passphrase").set_value("a wrong one")
        next(item for item in app.button if item.label == "Sign approval").click().run()
        assert (f"{left} tries are left" if left else "locked for 15 minutes") in said(app)
    app.button(key="open_approve").click().run()
    app.text_input(key="passphrase").set_value(WORDS)
    next(item for item in app.button if item.label == "Sign approval").click().run()
    assert "is locked until" in said(app)
    assert stories.state(found.request_id).has == 0
    assert WORDS not in "".join(str(record.payload) for record in ws.ledger.records())


def test_names_that_are_no_markdown(
    stories: Stories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slashes are refused by MLflow; quotes, emoji, markup and 500 characters are not, and are shown as written."""
    odd = make_stories(tmp_path / "ws")
    with closing(sqlite3.connect(odd.root / "mlflow" / "mlflow.db")) as store, store:
        store.execute("PRAGMA foreign_keys = OFF")
        for table, column in (
            ("registered_models", "name"),
            ("model_versions", "name"),
            ("registered_model_aliases", "name"),
        ):
            store.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (ODD, MODEL))
    monkeypatch.setenv("MODELDESK_WORKSPACE", str(odd.root))
    ws = odd.ws
    found = approvals.open_request(ws, ODD, 2, "production", odd.me, f"because {ODD}")
    for page, query in (
        ("request", {"id": found.request_id}),
        ("requests", {}),
        ("registry", {"model": ODD}),
        ("registry", {}),
        ("version", {"model": ODD, "version": "2"}),
        ("overview", {}),
    ):
        shown = said(visit(page, **query))
        assert "went wrong" not in shown, page
    title = visit("request", id=found.request_id).title[0].value
    assert title.startswith("\\*\\*b\\*\\* :\u2060smile")


def test_an_unknown_version_or_alias_is_named(stories: Stories) -> None:
    assert "no version 99" in said(visit("version", model=MODEL, version="99")) or "99" in said(
        visit("version", model=MODEL, version="99")
    )
    app = visit("registry", search="no-such-alias")
    assert "Nothing is called 'no-such-alias'" in said(app)


def test_a_long_reason_is_cut_beside_the_buttons_and_can_be_read_in_full(stories: Stories) -> None:
    """It was cut at 400 characters and nothing showed the rest."""
    end = "and this is its end."
    approvals.withdraw(stories.ws, stories.ask(version=2).request_id, stories.demo("chen"))
    asked = stories.ask(version=2, reason="a *long* reason " * 60 + end)
    assert end in said(visit("request", id=asked.request_id)).replace("\\", "")
    approvals.withdraw(stories.ws, asked.request_id, stories.demo("chen"))


def test_changes_that_are_wanted_have_one_word_on_every_page(stories: Stories) -> None:
    """The version page had a word of its own, in no colour."""
    asked = stories.ask(version=2)
    approvals.request_changes(stories.ws, asked.request_id, stories.me, "look at site north", ())
    pages = [
        visit("request", id=asked.request_id),
        visit("version", model=MODEL, version="2"),
        visit("requests", tab="others"),
    ]
    assert all("CHANGES WANTED" in said(page) for page in pages)
    approvals.withdraw(stories.ws, asked.request_id, stories.demo("chen"))
