"""Trials in the deployment database: one open trial per endpoint, changed by compare-and-set."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.access import Actor
from core.deploy import database as db
from core.deploy.database import Database
from core.deploy.trial import (
    ArmTraffic,
    Judgement,
    Look,
    Metric,
    OutcomeRules,
    Step,
    TrafficRules,
    Trial,
    TrialKind,
    TrialState,
)
from core.deploy.types import EndpointKey
from core.errors import Conflict, NotFound

_table = db.trials


class TrialStore:
    """Trials of one workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, trial: Trial) -> None:
        """Record a new trial; raises Conflict when the endpoint has one."""
        try:
            with self._database.writing() as connection:
                open_ones = sa.select(_table.c.id).where(*_is(trial.key), _table.c.open.is_(True))
                if connection.execute(open_ones).first():
                    raise Conflict(f"A trial of {trial.key} is under way.", "Finish or abort it first.")
                connection.execute(sa.insert(_table).values(_row(trial)))
        except IntegrityError as error:
            raise Conflict(f"A trial of {trial.key} is under way.", "Finish or abort it first.") from error

    def change(self, before: Trial, after: Trial) -> Trial:
        """Replace ``before``; raises Conflict when its step or state is no longer what is stored.

        A look at the traffic is no change: deployd takes one every other second, also while somebody acts.
        """
        own = _table.c.id == before.id
        with self._database.writing() as connection:
            stored = connection.execute(sa.select(_table.c.content).where(own)).scalar()
            if stored is None or not _trial(stored).stands_as(before):
                raise Conflict(
                    "The trial was changed by somebody else meanwhile.", "Look at where it stands now."
                )
            connection.execute(sa.update(_table).where(own).values(_row(after)))
        return after

    def open_trials(self) -> tuple[Trial, ...]:
        """Every trial that has traffic."""
        return self._read(sa.select(_table.c.content).where(_table.c.open.is_(True)))

    def of(self, key: EndpointKey) -> Trial | None:
        """The endpoint's open trial, if any."""
        query = sa.select(_table.c.content).where(*_is(key), _table.c.open.is_(True))
        return next(iter(self._read(query)), None)

    def last(self, key: EndpointKey) -> Trial | None:
        """The endpoint's newest trial, open or over."""
        # An open one is the newest, whatever the clock said when it began.
        newest_first = _table.c.open.desc(), _table.c.started_at.desc()
        query = sa.select(_table.c.content).where(*_is(key)).order_by(*newest_first).limit(1)
        return next(iter(self._read(query)), None)

    def needed(self, key: EndpointKey) -> Trial:
        """The endpoint's open trial; raises NotFound when there is none."""
        found = self.of(key)
        if found is None:
            raise NotFound(
                f"No trial of {key} is under way.", "`deploy MODEL --version N --canary 10` starts one."
            )
        return found

    def still(self, seen: Trial) -> Trial:
        """The trial as it is now; raises Conflict when it is not in the step and state that somebody ``seen`` it in."""
        now = self.last(seen.key)
        if now is None or not now.stands_as(seen):
            stands = f"the {now.kind} of v{now.candidate} is {now.state}" if now else "it is gone"
            where = f" at {now.share} %" if now and now.open else ""
            raise Conflict(
                f"The trial has moved on meanwhile: {stands}{where}.",
                "Nothing was changed. Look at where it stands now and decide again.",
            )
        return now

    def _read(self, query: sa.Select[Any]) -> tuple[Trial, ...]:
        with self._database.reading() as connection:
            # A database from before there were trials gets their table with its next write.
            known = connection is not None and sa.inspect(connection).has_table(_table.name)
            rows = connection.execute(query).scalars().all() if known else []
        return tuple(map(_trial, rows))


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "id": trial.id,
        "model": trial.key.model,
        "environment": trial.key.environment,
        "open": trial.open,
        "started_at": trial.started_at.isoformat(),
        "content": _text(trial),
    }


def _text(trial: Trial) -> str:
    return json.dumps(asdict(trial), default=lambda value: value.isoformat(), sort_keys=True)


def _trial(text: str) -> Trial:
    values = json.loads(text)
    look = values["look"]
    return Trial(
        **values
        | {
            "key": EndpointKey(**values["key"]),
            "kind": TrialKind(values["kind"]),
            "state": TrialState(values["state"]),
            "shares": tuple(values["shares"]),
            "past": tuple(
                Step(share=step["share"], since=datetime.fromisoformat(step["since"]))
                for step in values["past"]
            ),
            "started_at": datetime.fromisoformat(values["started_at"]),
            "by": Actor(**values["by"]),
            "traffic": TrafficRules(**values["traffic"]),
            "outcomes": OutcomeRules(**values["outcomes"] | {"metric": Metric(values["outcomes"]["metric"])}),
            "look": _look(look) if look else None,
            "ended_at": datetime.fromisoformat(values["ended_at"]) if values["ended_at"] else None,
        }
    )


def _look(values: dict[str, Any]) -> Look:
    return Look(
        at=datetime.fromisoformat(values["at"]),
        judgement=Judgement(values["judgement"]),
        reason=values["reason"],
        live=ArmTraffic(**values["live"]),
        candidate=ArmTraffic(**values["candidate"]),
        held_s=values.get("held_s", 0.0),
    )


def _is(key: EndpointKey) -> tuple[Any, Any]:
    return _table.c.model == key.model, _table.c.environment == key.environment
