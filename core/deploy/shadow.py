"""Asking a candidate what live was asked: logged requests replayed to a slot without traffic, answers compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from core import access
from core.access import Action, Actor
from core.deploy import model_files, served_files, traffic
from core.deploy.deployment import Deployment
from core.deploy.desk import Desk
from core.deploy.journal import Intent
from core.deploy.rollout import DeployPlan, plan_deploy
from core.deploy.types import EndpointKey, Operation, OperationKind, OperationState, Slot
from core.errors import BadInput, ModelDeskError, NotFound, Unavailable
from core.ledger.serving_events import ShadowReplayed
from core.privacy import shown_cells, shown_count
from core.registry.gatekeeper import NO_POLICY

if TYPE_CHECKING:
    import pandas as pd

BATCH = 50
ANSWER_S = 20.0
LONGEST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What a replay showed; counts of requests, times in milliseconds per batch of 50 rows."""

    candidate: int
    live: int
    asked: int
    same: int
    different: int
    failed: int
    p50_ms: float | None
    p99_ms: float | None

    def facts(self) -> dict[str, Any]:
        """For the record, a page or the command line: small counts of people are hidden."""
        same, different, failed = shown_cells((self.same, self.different, self.failed))
        return asdict(self) | {
            "asked": shown_count(self.asked),
            "same": same,
            "different": different,
            "failed": failed,
        }

    @property
    def sentence(self) -> str:
        """The result in words."""
        facts = self.facts()
        return (
            f"Of {facts['asked']} requests that v{self.live} answered, v{self.candidate} answered "
            f"{facts['same']} alike and {facts['different']} otherwise; {facts['failed']} failed."
        )


def replay(desk: Desk, key: EndpointKey, candidate: int, actor: Actor, *, last: int = 500) -> Shadow:
    """Start ``candidate`` in a free slot, ask it the ``last`` requests that live answered, and stop it again.

    Live's traffic is not touched. Raises NotFound without logged requests, BadInput when the log lacks a column
    that the candidate needs, and what a deployment's checks raise.
    """
    plan, rows = planned(desk, key, candidate, actor, last=last)
    operation = desk.journal.begin(
        Intent(
            key=key,
            kind=OperationKind.SHADOW,
            to_version=candidate,
            actor=actor.name,
            reason="shadow replay",
            expects=plan.from_version,
        )
    )
    try:
        found = _asked(desk, Deployment(desk, plan, actor, operation, NO_POLICY, 0.0), rows, operation)
    except ModelDeskError as error:
        desk.journal.finish(operation, OperationState.FAILED, error.what)
        raise
    except BaseException:
        desk.journal.finish(operation, OperationState.ABORTED, "Interrupted.")
        raise
    finally:
        traffic.tidy(desk, desk.store.endpoint(key))
    desk.journal.finish(operation, OperationState.DONE, found.sentence)
    event = ShadowReplayed(
        model=key.model,
        environment=key.environment,
        reason=found.sentence,
        version=candidate,
        report=found.facts(),
    )
    desk.ws.ledger.append(event, actor)
    return found


def planned(
    desk: Desk, key: EndpointKey, candidate: int, actor: Actor, *, last: int = 500
) -> tuple[DeployPlan, pd.DataFrame]:
    """What a replay would start and what it would ask; raises as :func:`replay` does before it changes anything."""
    access.require(desk.settings, actor, Action.DEPLOY, key.model, key.environment)
    if not 1 <= last <= LONGEST:
        raise BadInput(f"{last} requests make no sense.", f"Give 1 to {LONGEST}.")
    plan = plan_deploy(desk, key.model, candidate, key.environment)
    if plan.from_version is None or plan.from_version == candidate:
        raise NotFound(
            f"There is nothing to compare v{candidate} with in {key}.", "Deploy another version first."
        )
    return plan, _logged(desk, key, plan.from_version, last)


def sentences(live: int | None, candidate: int, asked: int) -> tuple[str, ...]:
    """What a replay of ``asked`` requests does."""
    return (
        f"v{candidate} is checked and started in a free slot without traffic, asked the last {asked} logged requests "
        f"of v{live}, and stopped again.",
        "Counts of alike and different answers go on the record; no row is shown.",
    )


def _asked(desk: Desk, deployment: Deployment, rows: pd.DataFrame, operation: Operation) -> Shadow:
    slot = deployment.ready()
    endpoint = desk.store.endpoint(operation.key)
    columns = model_files.read_model_file(slot.artifact.directory).columns
    missing = [c.name for c in columns if c.required and c.name not in rows]
    if missing:
        raise BadInput(
            f"The prediction log does not hold {', '.join(missing)}, which v{slot.version} needs.",
            "The log's policy drops or hashes it; such a model cannot be replayed.",
        )
    names = [c.name for c in columns if c.name in rows]
    same = different = failed = 0
    times = []
    for body, expected in _batches(rows, names):
        answers, seconds = _answers(desk, endpoint, slot, body)
        times.append(seconds * 1000)
        if len(answers) != len(expected):
            failed += len(expected)
            continue
        alike = sum(_alike(given, want) for given, want in zip(answers, expected, strict=True))
        same, different = same + alike, different + len(expected) - alike
    times.sort()
    return Shadow(
        candidate=slot.version,
        live=operation.from_version or 0,
        asked=len(rows),
        same=same,
        different=different,
        failed=failed,
        p50_ms=times[len(times) // 2] if times else None,
        p99_ms=times[min(len(times) - 1, int(len(times) * 0.99))] if times else None,
    )


def _answers(desk: Desk, endpoint: Any, slot: Slot, body: bytes) -> tuple[list[Any], float]:
    try:
        answer = desk.engine.score(endpoint, slot.name, body, ANSWER_S)
    except Unavailable:
        return [], ANSWER_S
    predictions = answer.body.get("predictions") if isinstance(answer.body, dict) else None
    return (predictions if answer.status == 200 and isinstance(predictions, list) else []), answer.seconds


def _batches(rows: pd.DataFrame, names: list[str]) -> Iterator[tuple[bytes, list[Any]]]:
    for start in range(0, len(rows), BATCH):
        part = rows.iloc[start : start + BATCH]
        text = part[names].to_json(orient="split", index=False, date_format="iso")
        yield f'{{"dataframe_split": {text}}}'.encode(), part["prediction"].tolist()


def _alike(given: Any, want: Any) -> bool:
    if isinstance(given, float) or isinstance(want, float):
        try:
            return abs(float(given) - float(want)) <= 1e-9 + 1e-6 * abs(float(want))
        except (TypeError, ValueError):
            return False
    return given == want or str(given) == str(want)


def _logged(desk: Desk, key: EndpointKey, version: int, last: int) -> pd.DataFrame:
    """The newest requests that ``version`` answered, newest first."""
    import pandas as pd

    parts: list[pd.DataFrame] = []
    for file in reversed(served_files.own_files(served_files.folder_of(desk.settings, key))):
        part = pd.read_parquet(file)
        parts.append(part[(part["model_version"] == str(version)) & part["prediction"].notna()])
        if sum(map(len, parts)) >= last:
            break
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not len(found):
        raise NotFound(
            f"The prediction log holds no answer of v{version}.",
            "Send it requests; `deploy.log.share` keeps them.",
        )
    return found.sort_values("timestamp", ascending=False).head(last)
