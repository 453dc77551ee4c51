"""Where versions served, and serve, as the ledger recorded it; aliases fill in where it has nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from core.ledger.types import Record
from core.lineage.records import DeploymentRecord
from core.registry.types import Model

MOVES = ("promoted", "deployed", "rolled_back")
TRAFFIC = "traffic_switched"
APPROVAL = "approval_signed"
KINDS = (*MOVES, TRAFFIC, APPROVAL)

Place = tuple[str, str]


def deployments(records: Iterable[Record]) -> tuple[DeploymentRecord, ...]:
    """The periods in which versions served, oldest first; pure.

    A version serves from the event that gave it traffic until one that took it away. Promoting and deploying
    the same version is one period.
    """
    approvals: dict[str, list[str]] = {}
    periods: list[DeploymentRecord] = []
    serving: dict[Place, dict[int, int]] = {}  # (model, environment) -> version -> its open period
    for record in records:
        if record.kind == APPROVAL:
            request = str(record.payload.get("request_id", ""))
            approvals.setdefault(request, []).append(str(record.payload.get("printed_name", "")))
            continue
        wanted = _versions(record)
        open_periods = serving.setdefault((record.model, record.environment), {})
        for version in [version for version in open_periods if version not in wanted]:
            index = open_periods.pop(version)
            periods[index] = replace(periods[index], until=record.at)
        for version in wanted:
            if version not in open_periods:
                open_periods[version] = len(periods)
                periods.append(_opened(record, version))
            _approve(periods, open_periods[version], record, approvals)
    return tuple(periods)


def by_alias(
    models: Iterable[Model], environments: Mapping[str, str], known: Iterable[DeploymentRecord]
) -> tuple[DeploymentRecord, ...]:
    """What aliases say is deployed and the ledger does not; ``environments`` maps environment -> alias."""
    live = {(item.model, item.environment, item.version) for item in known if item.until is None}
    return tuple(
        DeploymentRecord(
            model=model.name,
            environment=environment,
            version=model.aliases[alias],
            key=f"alias-v{model.aliases[alias]}",
            from_alias=True,
        )
        for model in models
        for environment, alias in environments.items()
        if alias in model.aliases and (model.name, environment, model.aliases[alias]) not in live
    )


def _versions(record: Record) -> tuple[int, ...]:
    """The versions that serve after this event."""
    if record.kind == TRAFFIC:
        shares: Mapping[str, float] = record.payload.get("shares", {})
        return tuple(int(version) for version, share in shares.items() if share > 0)
    return (int(record.payload["to_version"]),)


def _opened(record: Record, version: int) -> DeploymentRecord:
    return DeploymentRecord(
        model=record.model,
        environment=record.environment,
        version=version,
        key=str(record.seq),
        since=record.at,
        by=record.actor.display_name or record.actor.name,
    )


def _approve(
    periods: list[DeploymentRecord], index: int, record: Record, approvals: Mapping[str, list[str]]
) -> None:
    """Note who signed the request that this event acted on."""
    people = approvals.get(str(record.payload.get("request_id") or "-"), ())
    named = tuple(dict.fromkeys((*periods[index].approved_by, *people)))
    periods[index] = replace(periods[index], approved_by=named)
