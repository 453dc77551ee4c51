"""Reports on the demo: a candidate, a week, an incident; three formats, and nothing from outside."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from core.access import local_actor
from core.errors import NotFound
from core.ledger.alert_events import DriftAlertRaised
from core.ledger.events import RolledBack
from core.reports.candidate import candidate_report
from core.reports.charts import Interval, Moment, days, intervals, timeline
from core.reports.incident import incident_report
from core.reports.types import Report
from core.reports.weekly import weekly_report
from core.workspace import Workspace, open_workspace
from tests.contract.ledger_store import ANA

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ws(demo_workspace: Path) -> Workspace:
    return open_workspace(demo_workspace)


def test_a_candidate_is_told_with_deltas_intervals_and_a_marker(ws: Workspace) -> None:
    made = candidate_report(ws, None, "diagnosis-risk/9")
    text = made.markdown()
    assert text.startswith("<!-- model-desk:report diagnosis-risk -->\n# ")
    assert re.search(r"\| auroc \| 0\.\d+ \| 0\.\d+ \| [+-]0\.\d+ \| [+-].* to [+-].* \|", text)
    assert "/version?model=diagnosis-risk&version=9" in text
    words = {one["metric"]: one["verdict"] for one in made.facts["differences"]}
    assert set(words.values()) <= {"better", "worse", "not distinguishable", "not comparable"}
    alone(made)
    assert made.html().count("<svg") == 1


def test_a_candidate_with_a_policy_has_a_verdict(ws: Workspace, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text('tiers: [{name: t, models: ["*"], gates: [{metric: auroc, min: 0.99}]}]')
    made = candidate_report(ws, None, "diagnosis-risk/9", policy=policy)
    assert made.facts["verdict"] == "FAIL" and "| auroc &gt;= 0.99 | FAIL |" in made.markdown().replace(
        ">=", "&gt;="
    )


def test_a_week_tells_what_was_decided_in_it(ws: Workspace) -> None:
    moves = ws.ledger.records(kinds=("promoted",))
    end = moves[-1].at + timedelta(hours=1)
    made = weekly_report(ws, local_actor(ws.settings), NOW, end)
    assert made.facts["counts"]["Released"] >= 1
    assert {one["model"] for one in made.facts["models"]} >= {"diagnosis-risk", "biopsy-triage"}
    assert f"Week {end:%G-W%V}" in made.markdown()
    alone(made)


def test_an_incident_is_the_day_around_the_last_rollback(ws: Workspace) -> None:
    back = ws.ledger.records(model="diagnosis-risk", kinds=("rolled_back",))[-1]
    made = incident_report(ws, "diagnosis-risk", NOW)
    seqs = [event["seq"] for event in made.facts["events"]]
    assert back.seq in seqs and seqs == sorted(seqs)
    assert back.reason in made.markdown()
    alone(made)
    with pytest.raises(NotFound, match="No rollback"):
        incident_report(ws, "readmission-30d", NOW)
    with pytest.raises(NotFound):
        incident_report(ws, "nobody", NOW)


def test_an_incident_counts_the_time_from_alarm_to_rollback(tmp_path: Path) -> None:
    times = iter([NOW - timedelta(minutes=15), NOW - timedelta(minutes=3)])
    ws = open_workspace(tmp_path)
    ws.ledger._clock = lambda: next(times)
    place = {"model": "risk", "environment": "production"}
    ws.ledger.append(DriftAlertRaised(**place, alert_id="a", severity="high", summary="glucose moved"), ANA)
    ws.ledger.append(
        RolledBack(**place, operation_id="o", from_version=2, to_version=1, reason="a|b <script>"), ANA
    )
    made = incident_report(ws, "risk", NOW)
    assert made.facts["seconds_from_alert_to_rollback"] == 720
    assert "From the first alarm to the rollback: 12 min 0 s" in made.lead
    assert "a\\|b &lt;script>" in made.markdown() and "<script" not in made.html()


def alone(made: Report) -> None:
    """The page loads nothing, its pictures are XML, and the facts are JSON."""
    page = made.html()
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!#)|url\(|@import|<script""", page)
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(picture)
    json.dumps(dict(made.facts), default=str)


def test_pictures_of_nothing_are_nothing_and_words_cannot_break_out() -> None:
    assert (intervals([]), days({}), timeline([])) == ("", "", "")
    nasty = "</text><script>alert(1)</script>"
    for picture in (
        intervals([Interval(nasty, 0.0, 0.0, 0.0, "better")]),
        timeline([Moment(NOW, nasty), Moment(NOW, nasty, "bad")]),
        days({NOW.date(): 0}),
    ):
        ElementTree.fromstring(picture)
        assert "<script" not in picture
