"""Questions to a scoring server before it gets traffic, asked on its own socket.

The server is a process of its own with limits on memory, no credentials in its environment and, here, a deadline
for every answer: what a model does when it is asked, it does there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.deploy import answers, model_files
from core.deploy.engine import Engine
from core.deploy.gates import Check, Verdict
from core.deploy.types import Endpoint, Slot, SlotName
from core.errors import ModelDeskError, Unavailable

START_S = 120.0
ANSWER_S = 10.0
CALLS, ROUNDS = 50, 3
SLOWEST_P99_S = 1.0
# A candidate may be this much slower than live at the 99th percentile, plus what a busy machine adds by chance.
SLOWER_FACTOR, SLOWER_S = 2.0, 0.05


class Failed(ModelDeskError):
    """A check said no; nothing was switched."""

    exit_code = 3


def wait_healthy(engine: Engine, endpoint: Endpoint, slot: Slot, deadline_s: float = START_S) -> str:
    """Wait until the slot answers a scored request; raises Failed with the server's last words."""
    begin = time.monotonic()
    while not engine.alive(endpoint, slot):
        if engine.ended(endpoint, slot):
            raise Failed(
                f"v{slot.version} did not start: {engine.last_words(endpoint, slot.name)}",
                "Nothing was switched; the version that was live is live.",
            )
        if time.monotonic() - begin > deadline_s:
            raise Failed(f"v{slot.version} did not answer within {deadline_s:g} s.", "Nothing was switched.")
        time.sleep(0.05)
    example = model_files.example_request(slot.artifact.directory)
    if example is not None:
        _scored(engine, endpoint, slot.name, example)
    return f"answers after {time.monotonic() - begin:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """What the smoke tests found; ``answer`` is what to keep as the golden one."""

    checks: tuple[Check, ...]
    answer: list[Any] | None


def smoke_tests(engine: Engine, endpoint: Endpoint, slot: Slot, golden: list[Any] | None) -> Smoke:
    """Replays, probabilities, a request that must be refused, and latency against live."""
    described = model_files.read_model_file(slot.artifact.directory)
    if described.example is None:
        return Smoke(
            checks=(_inconclusive("replay", "no input example and none could be made"),), answer=None
        )
    live = endpoint.slot(endpoint.live)
    live = live if live is not None and live.name != slot.name and engine.alive(endpoint, live) else None
    try:
        replay, given = _replay(engine, endpoint, slot.name, described)
        checks = (
            replay,
            answers.check_golden(given, golden),
            _like_live(engine, endpoint, slot.name, live),
            _probabilities(engine, endpoint, slot.name, live, described, given),
            _missing_column(engine, endpoint, slot.name, described),
            _latency(engine, endpoint, slot.name, live, described.example),
        )
    except Unavailable as error:
        return Smoke(checks=(Check("replay", Verdict.FAIL, error.what),), answer=None)
    return Smoke(checks=checks, answer=given)


def _scored(engine: Engine, endpoint: Endpoint, name: SlotName, example: Mapping[str, Any]) -> None:
    try:
        answer = engine.score(endpoint, name, example, ANSWER_S)
    except Unavailable as error:
        raise Failed(f"The first request was not answered: {error.what}", "Nothing was switched.") from error
    if answer.status != 200:
        raise Failed(f"The first request was answered with {answer.status}.", "Nothing was switched.")


def _replay(
    engine: Engine, endpoint: Endpoint, name: SlotName, described: model_files.ModelFile
) -> tuple[Check, list[Any] | None]:
    first = engine.score(endpoint, name, described.example, ANSWER_S)
    again = engine.score(endpoint, name, described.example, ANSWER_S)
    given = answers.predictions(first.body)
    if first.status != 200:
        return Check("replay", Verdict.FAIL, f"the input example was answered with {first.status}"), None
    asked = model_files.rows_of(described.example)
    if asked is not None and given is not None and asked != len(given):
        return Check("replay", Verdict.FAIL, f"{len(given)} predictions for {asked} rows"), None
    if first.body != again.body:
        return Check("replay", Verdict.FAIL, "the same request was answered differently twice"), None
    kind = "the logged input example" if described.example_logged else "an example made from the signature"
    return Check("replay", Verdict.PASS, f"{kind} scored twice alike, {asked or 1} rows"), given


def _like_live(engine: Engine, endpoint: Endpoint, name: SlotName, live: Slot | None) -> Check:
    example = model_files.example_request(live.artifact.directory) if live else None
    if live is None or example is None:
        return _inconclusive("replay against live", "nothing is live to compare with")
    given = engine.score(endpoint, name, example, ANSWER_S)
    before = engine.score(endpoint, live.name, example, ANSWER_S)
    return answers.check_like_live(answers.predictions(given.body), answers.predictions(before.body))


def _probabilities(
    engine: Engine,
    endpoint: Endpoint,
    name: SlotName,
    live: Slot | None,
    described: model_files.ModelFile,
    labels: list[Any] | None,
) -> Check:
    found = engine.probabilities(endpoint, name, described.example, ANSWER_S)
    if found.status == 404:
        return _inconclusive("probabilities", "the model offers none")
    if found.status != 200:
        return Check("probabilities", Verdict.FAIL, f"predict_proba was answered with {found.status}")
    before = engine.probabilities(endpoint, live.name, described.example, ANSWER_S) if live else None
    known = before.body.get("classes") if before is not None and before.status == 200 else None
    return answers.check_probabilities(found.body, labels, known)


def _missing_column(
    engine: Engine, endpoint: Endpoint, name: SlotName, described: model_files.ModelFile
) -> Check:
    column = next((column.name for column in described.columns if column.required), None)
    broken = model_files.without_column(described.example, column) if column else None
    if broken is None:
        return _inconclusive("missing column", "the model has no named required column")
    status = engine.score(endpoint, name, broken, ANSWER_S).status
    verdict = Verdict.PASS if status == 400 else Verdict.FAIL
    return Check("missing column", verdict, f"a request without '{column}' gets {status}, 400 is right")


def _latency(
    engine: Engine, endpoint: Endpoint, name: SlotName, live: Slot | None, example: Mapping[str, Any]
) -> Check:
    """The p99 of 50 calls is their slowest: only a candidate that is too slow each time is called slow."""
    for _ in range(ROUNDS):
        check = _timed(engine, endpoint, name, live, example)
        if check.verdict is Verdict.PASS:
            break
    return check


def _timed(
    engine: Engine, endpoint: Endpoint, name: SlotName, live: Slot | None, example: Mapping[str, Any]
) -> Check:
    """Both are asked in turn, so that both meet the same busy or quiet machine."""
    own, before = [], []
    for _ in range(CALLS):
        own.append(engine.score(endpoint, name, example, ANSWER_S).seconds)
        if live is not None:
            before.append(engine.score(endpoint, live.name, example, ANSWER_S).seconds)
    p50, p99 = _quantiles(own)
    text, limit = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms over {CALLS} calls", SLOWEST_P99_S
    if before:
        live50, live99 = _quantiles(before)
        text += f"; live p50 {live50 * 1000:.0f} ms, p99 {live99 * 1000:.0f} ms"
        limit = min(limit, live99 * SLOWER_FACTOR + SLOWER_S)
    verdict = Verdict.PASS if p99 <= limit else Verdict.FAIL
    return Check("latency", verdict, f"{text}; limit {limit * 1000:.0f} ms")


def _quantiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def _inconclusive(name: str, why: str) -> Check:
    return Check(name, Verdict.INCONCLUSIVE, why)
