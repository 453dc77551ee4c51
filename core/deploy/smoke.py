"""Questions to a scoring server before it gets traffic, asked on its own socket."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from core.deploy import model_files
from core.deploy.gates import Check, Verdict
from core.deploy.types import Endpoint, Engine, Slot, SlotName
from core.errors import ModelDeskError, Unavailable

START_S = 120.0
ANSWER_S = 10.0
CALLS = 50
SLOWEST_P99_S = 1.0
# A candidate may be this much slower than live at the 99th percentile, plus what a busy machine adds by chance.
SLOWER_FACTOR, SLOWER_S = 2.0, 0.05


class Failed(ModelDeskError):
    """A check said no; nothing was switched."""

    exit_code = 3


def wait_healthy(engine: Engine, endpoint: Endpoint, slot: Slot, deadline_s: float = START_S) -> str:
    """Wait until the slot answers a scored request; raises Failed with the server's last words."""
    from core.deploy import processes

    begin = time.monotonic()
    while not engine.alive(endpoint, slot):
        if not processes.alive(slot.process):
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


def smoke_checks(engine: Engine, endpoint: Endpoint, slot: Slot) -> tuple[Check, ...]:
    """Replay of the input example, a request that must be refused, and latency against live."""
    described = model_files.read_model_file(slot.artifact.directory)
    if described.example is None:
        return (Check("replay", Verdict.INCONCLUSIVE, "no input example and none could be made"),)
    live = endpoint.slot(endpoint.live)
    try:
        return (
            _replay(engine, endpoint, slot.name, described),
            _missing_column(engine, endpoint, slot.name, described),
            _latency(engine, endpoint, slot.name, live, described.example),
        )
    except Unavailable as error:
        return (Check("replay", Verdict.FAIL, error.what),)


def _scored(engine: Engine, endpoint: Endpoint, name: SlotName, example: Mapping[str, Any]) -> Any:
    try:
        answer = engine.score(endpoint, name, example, ANSWER_S)
    except Unavailable as error:
        raise Failed(f"The first request was not answered: {error.what}", "Nothing was switched.") from error
    if answer.status != 200:
        raise Failed(f"The first request was answered with {answer.status}.", "Nothing was switched.")
    return answer.body


def _replay(engine: Engine, endpoint: Endpoint, name: SlotName, described: model_files.ModelFile) -> Check:
    first = engine.score(endpoint, name, described.example, ANSWER_S)
    again = engine.score(endpoint, name, described.example, ANSWER_S)
    if first.status != 200:
        return Check("replay", Verdict.FAIL, f"the input example was answered with {first.status}")
    asked, given = model_files.rows_of(described.example), _count(first.body)
    if asked is not None and given is not None and asked != given:
        return Check("replay", Verdict.FAIL, f"{given} predictions for {asked} rows")
    if first.body != again.body:
        return Check("replay", Verdict.FAIL, "the same request was answered differently twice")
    kind = "the logged input example" if described.example_logged else "an example made from the signature"
    return Check("replay", Verdict.PASS, f"{kind} scored twice alike, {given or asked or 1} rows")


def _missing_column(
    engine: Engine, endpoint: Endpoint, name: SlotName, described: model_files.ModelFile
) -> Check:
    column = next((column.name for column in described.columns if column.required), None)
    broken = model_files.without_column(described.example, column) if column else None
    if broken is None:
        return Check("missing column", Verdict.INCONCLUSIVE, "the model has no named required column")
    status = engine.score(endpoint, name, broken, ANSWER_S).status
    verdict = Verdict.PASS if status == 400 else Verdict.FAIL
    return Check("missing column", verdict, f"a request without '{column}' gets {status}, 400 is right")


def _latency(
    engine: Engine, endpoint: Endpoint, name: SlotName, live: Slot | None, example: Mapping[str, Any]
) -> Check:
    p50, p99 = _quantiles(engine, endpoint, name, example)
    text = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms over {CALLS} calls"
    limit = SLOWEST_P99_S
    if live is not None and engine.alive(endpoint, live):
        before50, before99 = _quantiles(engine, endpoint, live.name, example)
        text += f"; live p50 {before50 * 1000:.0f} ms, p99 {before99 * 1000:.0f} ms"
        limit = min(limit, before99 * SLOWER_FACTOR + SLOWER_S)
    verdict = Verdict.PASS if p99 <= limit else Verdict.FAIL
    return Check("latency", verdict, f"{text}; limit {limit * 1000:.0f} ms")


def _quantiles(
    engine: Engine, endpoint: Endpoint, name: SlotName, example: Mapping[str, Any]
) -> tuple[float, float]:
    times = sorted(engine.score(endpoint, name, example, ANSWER_S).seconds for _ in range(CALLS))
    return times[CALLS // 2], times[min(CALLS - 1, int(CALLS * 0.99))]


def _count(body: Any) -> int | None:
    predictions = body.get("predictions") if isinstance(body, dict) else None
    return len(predictions) if isinstance(predictions, list) else None
