"""Canary, A/B and shadow replay on the real engine: real models, real requests, real logs, late labels."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from core.access import Actor, local_actor
from core.deploy import ab_outcomes, release, scoring, served_files, smoke, trials
from core.deploy import database as db
from core.deploy.ab_outcomes import AbVerdict
from core.deploy.drill import drill, is_overdue, last_drill, plan_drill
from core.deploy.model_files import example_request
from core.deploy.shadow import replay
from core.deploy.smoke import Failed
from core.deploy.trial import OutcomeRules, TrafficRules, Trial, TrialKind, TrialSpec, TrialState
from core.deploy.types import EndpointKey
from core.errors import BadInput, Conflict, NotFound, Refused
from core.workspace import Workspace, open_workspace
from tests.contract.test_command_examples import validate
from tests.deploy_workspace import FAILS, MODEL, make_workspace, stop_all, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
KEY = EndpointKey(MODEL, "staging")  # trials work the same everywhere, and a drill is refused in production
QUICK = TrafficRules(min_requests=20, hold_s=0, latency_factor=50, latency_slack_ms=5000)


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """v1 serves; the tests tell one story in the order of the file."""
    patch = pytest.MonkeyPatch()
    patch.setattr(smoke, "SLOWER_S", 5.0)  # beside other tests the worst of 50 calls is chance
    patch.setattr(smoke, "SLOWEST_P99_S", 5.0)
    root = make_workspace(tmp_path_factory.mktemp("trials")).root
    with (root / "modeldesk.toml").open("a") as settings:
        settings.write(
            f'[[monitors]]\nmodel = "{MODEL}"\nenvironment = "staging"\npredictions = "predictions"\n'
            'labels = "labels"\nreference = "reference.parquet"\n'
        )
    ws = open_workspace(root)
    plan = release.plan_deploy(ws, MODEL, 1, KEY.environment)
    release.carry_out(ws, plan, local_actor(ws.settings), "first")
    yield ws
    patch.undo()
    stop_all(ws)


@pytest.fixture(scope="module")
def actor(ws: Workspace) -> Actor:
    return local_actor(ws.settings)


def begin(ws: Workspace, actor: Actor, spec: TrialSpec, version: int = 2) -> Trial:
    plan = release.plan_deploy(ws, MODEL, version, KEY.environment, trial=spec)
    assert release.carry_out(ws, plan, actor, "tried").verified
    return trials.store_of(ws.deployments).needed(KEY)


def route(ws: Workspace, people: range) -> dict[int, int]:
    """Where the router sends each person; not scored, which is ten times cheaper."""
    port = ws.deployments.store.endpoint(KEY).port
    return {n: scoring.over_loopback(port, None, 5, {"X-Assign": f"person-{n}"}).version for n in people}


def columns_of(ws: Workspace) -> list[str]:
    endpoint = ws.deployments.store.endpoint(KEY)
    return example_request(endpoint.slot(endpoint.live).artifact.directory)["dataframe_split"]["columns"]


def send(ws: Workspace, people: range, prefix: str = "person") -> dict[str, int]:
    """One scored request per person; gives back who was answered by which version."""
    endpoint = ws.deployments.store.endpoint(KEY)
    body = {"dataframe_split": {"columns": columns_of(ws), "data": [[14.0, 20.0, 90.0, 600.0]]}}

    def ask(number: int) -> tuple[str, int]:
        name = f"{prefix}-{number}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{endpoint.port}/invocations",
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "X-Assign": name,
                "X-Request-Id": f"{name}-{time.monotonic_ns()}",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return name, int(answer.headers["X-Model-Version"])

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(ask, people))


def logged(ws: Workspace) -> pd.DataFrame:
    files = served_files.own_files(served_files.folder_of(ws.settings, KEY))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def current(ws: Workspace) -> Trial:
    return trials.store_of(ws.deployments).last(KEY)


def test_a_canary_is_sticky_and_a_higher_share_keeps_who_was_there(ws: Workspace, actor: Actor) -> None:
    begin(ws, actor, TrialSpec(shares=(10, 50), traffic=replace(QUICK, hold_s=25)))
    people = range(250)
    first = route(ws, people)
    assert first == route(ws, people), "each person keeps their version"
    assert 0.05 < sum(v == 2 for v in first.values()) / 250 < 0.15
    jumped = datetime.now(UTC) + timedelta(days=2)
    trials.tick(ws.deployments, print, jumped)
    assert current(ws).share == 10, "a clock set forward is no time in which the candidate did well"
    for seconds in (10, 20):
        trials.tick(ws.deployments, print, jumped + timedelta(seconds=seconds))
    trial = current(ws)
    assert trial.share == 50 and [step.share for step in trial.past] == [10, 50]
    second = route(ws, people)
    assert 0.41 < sum(v == 2 for v in second.values()) / 250 < 0.59
    assert all(second[name] == 2 for name, version in first.items() if version == 2)


def test_another_trial_waits_and_a_ramp_has_an_end(ws: Workspace, actor: Actor) -> None:
    plan = release.plan_deploy(ws, MODEL, 3, KEY.environment, trial=TrialSpec(shares=(5,)))
    with pytest.raises(Conflict, match=r"A canary of .* with v2 is under way"):
        release.carry_out(ws, plan, actor, "too")
    with pytest.raises(Conflict, match="v2 has 50 % of the traffic beside v1"):
        release.plan_deploy(ws, MODEL, 2, KEY.environment)
    before_it = replace(plan, trial=None, inner=replace(plan.inner, share=100))
    with pytest.raises(Conflict, match="v2 has 50 % of the traffic beside v1"):
        release.carry_out(ws, before_it, actor, "planned before the trial began")
    with pytest.raises(Conflict, match="50 % is the last step"):
        trials.advance(ws.deployments, current(ws), actor)
    with pytest.raises(BadInput, match="makes no sense"):
        release.carry_out(
            ws,
            replace(plan, trial=TrialSpec(shares=(50, 10)), inner=replace(plan.inner, share=50)),
            actor,
            "no",
        )


def test_two_who_act_at_once_do_it_once(ws: Workspace, actor: Actor) -> None:
    seen = current(ws)
    paused = trials.pause(ws.deployments, seen, actor, "looking at it")
    with pytest.raises(Conflict, match="changed by somebody else"):
        trials.pause(ws.deployments, seen, actor, "me too")
    store = trials.store_of(ws.deployments)
    with pytest.raises(Conflict, match="moved on meanwhile: the canary of v2 is paused at 50 %"):
        store.still(seen)  # a page that was drawn before
    with pytest.raises(Conflict, match="paused already"):
        trials.pause(ws.deployments, store.still(paused), actor, "once more")
    assert trials.resume(ws.deployments, paused, actor, "go on").state is TrialState.RUNNING


def test_a_trial_that_an_older_model_desk_wrote_goes_on(ws: Workspace) -> None:
    """Its text lacks what has been added since: that is no change by somebody else."""
    desk, trial = ws.deployments, current(ws)
    with desk.database.writing() as connection:
        content = json.loads(connection.execute(sa.select(db.trials.c.content)).scalar_one())
        del content["allow_code"]
        connection.execute(sa.update(db.trials).values(content=json.dumps(content, sort_keys=True)))
    assert trials.store_of(desk).change(current(ws), replace(trial, message="looked")).message == "looked"


def test_finishing_makes_the_candidate_live_and_keeps_the_way_back(ws: Workspace, actor: Actor) -> None:
    assert trials.finish(ws.deployments, current(ws), actor, "safe").state is TrialState.FINISHED
    endpoint = ws.deployments.store.endpoint(KEY)
    assert (endpoint.live_version, endpoint.previous_version) == (2, 1)
    kinds = [r.kind for r in ws.ledger.records(model=MODEL) if r.kind.startswith("trial_")]
    assert kinds == ["trial_started", "trial_paused", "trial_resumed", "trial_ended"]


def test_a_candidate_that_fails_requests_is_taken_back_by_rule(ws: Workspace, actor: Actor) -> None:
    """Its checks pass, since its bug shows on large values alone; callers find it, and live takes over again."""
    spec = TrialSpec(shares=(50,), traffic=QUICK)
    plan = release.plan_deploy(ws, MODEL, FAILS, KEY.environment, trial=spec, allow_code=True)
    release.carry_out(ws, plan, actor, "tried")
    trials.tick(ws.deployments, print, datetime.now(UTC) + timedelta(hours=2))  # the clock is set back next
    endpoint = ws.deployments.store.endpoint(KEY)
    large = {"dataframe_split": {"columns": columns_of(ws), "data": [[5000.0, 20.0, 90.0, 600.0]]}}
    statuses = [
        scoring.over_loopback(endpoint.port, large, 20, {"X-Assign": f"large-{i}"}).status for i in range(40)
    ]
    assert 5 < statuses.count(400) < 35 and set(statuses) == {200, 400}  # MLflow's word for a failing model
    trials.tick(ws.deployments, print, datetime.now(UTC))
    over = current(ws)
    assert over.state is TrialState.ABORTED and "requests failed" in over.message
    assert set(route(ws, range(20)).values()) == {2}
    ended = ws.ledger.records(model=MODEL, kinds=("trial_ended",))[-1]
    assert "by the trial's rules" in ended.actor.printed_name


def test_a_version_that_answers_400_where_the_one_before_did_not_goes_back(
    ws: Workspace, actor: Actor
) -> None:
    """Callers' own bad requests are 400 too, before as well as after: what counts is that there are more."""
    baking = ws.settings.deploy.model_copy(update={"bake_s": 60.0})
    patient = Workspace(ws.settings.model_copy(update={"deploy": baking}))
    port, columns, stop = ws.deployments.store.endpoint(KEY).port, columns_of(ws), threading.Event()
    rows = [[5000.0, 20.0, 90.0, 600.0], ["no number", 20.0, 90.0, 600.0]]

    def call() -> None:
        while not stop.wait(0.02):
            for row in (rows[0], rows[0], rows[0], rows[1]):
                body = {"dataframe_split": {"columns": columns, "data": [row]}}
                scoring.over_loopback(port, body, 20)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        plan = release.plan_deploy(patient, MODEL, FAILS, KEY.environment, allow_code=True)
        with pytest.raises(Failed, match=r"answered with 4xx, before it 2\d\.\d% of .* traffic went back"):
            release.carry_out(patient, plan, actor, "looks well")
    finally:
        stop.set()
        caller.join()
    assert set(route(ws, range(5)).values()) == {2}


def test_nobody_outside_stays_out_of_the_log(ws: Workspace) -> None:
    endpoint, columns = ws.deployments.store.endpoint(KEY), columns_of(ws)

    def body(radius: float) -> dict[str, object]:
        return {"dataframe_split": {"columns": columns, "data": [[radius, 20.0, 90.0, 600.0]]}}

    assert ws.deployments.engine.ask(endpoint, body(13.125), 20).status == 200
    for number, claim in enumerate(("check", "", "true", "check, check")):
        headers = {scoring.MARK: claim, "X-Request-Id": f"outside-{number}"}
        assert scoring.over_loopback(endpoint.port, body(15.5), 20, headers).status == 200
    wait_until(lambda: logged(ws)["request_id"].str.startswith("outside-").sum() == 4)
    found = logged(ws)[columns[0]]
    assert (found == 15.5).sum() == 4 and (
        found == 13.125
    ).sum() == 0  # the desk's own is no patient's request


def test_an_ab_test_is_judged_by_labels_that_came_late(ws: Workspace, actor: Actor) -> None:
    rules = OutcomeRules(effect=0.1)
    begin(ws, actor, TrialSpec(kind=TrialKind.AB, shares=(50,), traffic=QUICK, outcomes=rules), version=1)
    answered = send(ws, range(240), "ab")
    wait_until(lambda: logged(ws)["request_id"].str.startswith("ab-").sum() == 240)
    found = ab_outcomes.report(ws, current(ws), datetime.now(UTC))
    assert found.verdict is AbVerdict.NO_VERDICT and "too few outcomes" in found.reason

    # Labels in which v1 is right nine times in ten and v2 two times in three: true outcomes of a made-up ward.
    log = logged(ws)
    log = log[log["request_id"].str.startswith("ab-")].reset_index(drop=True)
    right = log["model_version"].eq("1") & (log.index % 10 != 0) | log["model_version"].eq("2") & (
        log.index % 3 != 0
    )
    labels = log[["request_id"]].assign(
        label=log["prediction"].where(right, 1 - log["prediction"]),
        observed_at=pd.Timestamp(datetime.now(UTC) + timedelta(days=2)),
    )
    folder = ws.root / "labels"
    folder.mkdir(exist_ok=True)
    labels.to_parquet(folder / "late.parquet", index=False)
    found = ab_outcomes.report(ws, current(ws), datetime.now(UTC))
    assert found.live.assigned + found.candidate.assigned == 240
    assert found.candidate.assigned == sum(version == 1 for version in answered.values())
    assert found.verdict is AbVerdict.BETTER and found.srm_p > 0.001
    assert found.difference.low > 0 and found.candidate.mean == pytest.approx(0.9, abs=0.06)

    broken = replace(current(ws), past=(replace(current(ws).past[0], share=20),))
    refused = ab_outcomes.report(ws, broken, datetime.now(UTC))
    assert refused.verdict is AbVerdict.NO_VERDICT and "not as planned" in refused.reason
    fixed = replace(current(ws), outcomes=replace(rules, size=1000))
    waiting = ab_outcomes.report(ws, fixed, datetime.now(UTC))
    assert waiting.verdict is AbVerdict.NO_VERDICT and "registered" in waiting.reason


def core(ws: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", *words, MODEL, "--environment", "staging",
         "--workspace", str(ws.root), "--output", "json"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


def test_the_command_says_where_it_stands_and_ends_it(ws: Workspace) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return core(ws, "trial", *words)

    said = json.loads(command("status").stdout)
    validate("trial status", said)
    assert (said["kind"], said["share"], said["comparison"]["verdict"]) == ("A/B test", 50, "BETTER")
    tried = json.loads(command("abort", "--reason", "seen enough", "--dry-run").stdout)
    validate("trial abort", tried)
    assert tried["dry_run"] and tried["state"] == "running" and "goes back to v2" in tried["steps"][0]
    assert command("abort", "--reason", " ", "--dry-run").returncode == 2
    assert current(ws).open, "a dry run ends nothing"
    ended = command("abort", "--reason", "seen enough")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["state"] == "aborted"
    validate("trial abort", json.loads(ended.stdout))
    assert command("abort", "--reason", "again").returncode == 2
    planned = command("start", "--version", "2", "--kind", "ab", "--size", "100", "--dry-run")
    validate("trial start", json.loads(planned.stdout))
    assert "show an effect of 0.03 in 4 of 5 tests; 100 are registered." in planned.stdout
    assert not current(ws).open and current(ws).state is TrialState.ABORTED


def test_logged_requests_are_replayed_to_a_version_without_traffic(ws: Workspace, actor: Actor) -> None:
    before = ws.deployments.store.endpoint(KEY)
    found = replay(ws.deployments, KEY, 1, actor, last=100)
    assert found.asked == 100 and found.same + found.different + found.failed == 100 and found.failed == 0
    after = ws.deployments.store.endpoint(KEY)
    assert (after.live, after.weights) == (before.live, before.weights)
    (record,) = ws.ledger.records(kinds=("shadow_replayed",))
    assert record.payload["report"]["asked"] == 100
    with pytest.raises(NotFound, match="nothing to compare"):
        replay(ws.deployments, KEY, 2, actor)
    for more in ((), ("--dry-run",)):
        said = core(ws, "trial", "shadow", "--version", "1", "--last", "60", *more).stdout
        validate("trial shadow", json.loads(said))
    assert len(ws.ledger.records(kinds=("shadow_replayed",))) == 2


def test_a_drill_goes_there_and_back_and_is_dated(ws: Workspace, actor: Actor) -> None:
    now = datetime.now(UTC)
    assert is_overdue(last_drill(ws, MODEL), now)
    with pytest.raises(Refused, match="not the place to rehearse"):
        plan_drill(ws.deployments, MODEL, "production")
    before = ws.deployments.store.endpoint(KEY)
    record = drill(ws.deployments, plan_drill(ws.deployments, MODEL), actor)
    after = ws.deployments.store.endpoint(KEY)
    assert (after.live_version, after.previous_version) == (before.live_version, before.previous_version)
    assert record.payload["failed"] == 0 and set(record.payload["seconds"]) == {"there", "back"}
    assert not is_overdue(last_drill(ws, MODEL), now) and is_overdue(record, now + timedelta(days=91))
    assert ws.ledger.state().freeze(MODEL, KEY.environment) is None
    for words in (("drill",), ("drill", "--dry-run")):
        validate("drill", json.loads(core(ws, *words).stdout))
