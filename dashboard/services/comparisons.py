"""What the Compare page reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import ModelDeskError
from core.workspace import Workspace
from dashboard.palette import moment
from dashboard.services.frame import workspace

if TYPE_CHECKING:
    from core.compare.disagreement import Segment
    from core.compare.grouping import Group
    from core.compare.importance import Importance
    from core.compare.types import Comparison, Item
    from core.experiments.types import History, RunTable


def comparison(refs: tuple[str, ...], baseline: str | None) -> Comparison:
    """Everything the Compare page shows of ``refs``; raises BadInput and NotFound."""
    return _comparison(workspace(), refs, baseline)


@st.cache_data(ttl=60, max_entries=64, show_spinner="Comparing…", hash_funcs={Workspace: id})
def _comparison(ws: Workspace, refs: tuple[str, ...], baseline: str | None) -> Comparison:
    from core.compare.engine import compare

    return compare(ws, refs, baseline)


def still_there(refs: Sequence[str]) -> tuple[str, ...]:
    """Those of ``refs`` that the stores still have; never cached, since something has just been missed."""
    from core.compare.references import parse, resolve

    found = []
    for ref in refs:
        try:
            resolve(workspace(), [parse(ref)])
        except ModelDeskError:
            continue
        found.append(ref)
    return tuple(found)


def run_choices(experiment: str, limit: int) -> dict[str, str]:
    """References of the newest runs of an experiment, each with the words to choose it by."""
    return _run_choices(workspace(), experiment, limit)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _run_choices(ws: Workspace, experiment: str, limit: int) -> dict[str, str]:
    rows = ws.runs.search(experiment=experiment, limit=limit).attributes.to_pylist()
    return {
        f"run:{row['run_id']}": f"{row['name']} · {moment(row['start_time'])} · {row['run_id'][:7]}"
        for row in rows
    }


def step_histories(run_ids: tuple[str, ...], metric: str) -> tuple[History, ...]:
    """The metric over the steps of each run that logged it, thinned for drawing."""
    return _step_histories(workspace(), run_ids, metric)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _step_histories(ws: Workspace, run_ids: tuple[str, ...], metric: str) -> tuple[History, ...]:
    return ws.runs.histories(run_ids, metric, max_points=2_000)


def row_disagreement(baseline: Item, candidate: Item) -> tuple[Segment, ...] | str:
    """Where two items disagree on their test rows, in groups; or why that cannot be said."""
    return _row_disagreement(workspace(), baseline.run_id, candidate.run_id, baseline, candidate)


@st.cache_data(ttl=600, max_entries=64, show_spinner=False, hash_funcs={Workspace: id})
def _row_disagreement(
    ws: Workspace, baseline_run: str | None, candidate_run: str | None, _baseline: Item, _candidate: Item
) -> tuple[Segment, ...] | str:
    from core.compare.engine import disagreements

    return disagreements(ws, _baseline, _candidate)


@st.cache_data(ttl=600, max_entries=64, show_spinner="Fitting a forest…")
def importance_of(params: tuple[dict[str, object], ...], values: tuple[float | None, ...]) -> Importance:
    """Which params a metric depends on over these runs."""
    from core.compare.importance import importance

    return importance(params, values)


def settings_of(table: RunTable, by: tuple[str, ...]) -> tuple[Group, ...]:
    """The runs of a table collapsed over their seeds, or over ``by``."""
    from core.experiments.overview import pulse

    return _settings_of(workspace(), pulse(table), by, table)


@st.cache_resource(ttl=60, max_entries=16, show_spinner="Collapsing…", hash_funcs={Workspace: id})
def _settings_of(ws: Workspace, pulse: str, by: tuple[str, ...], _table: RunTable) -> tuple[Group, ...]:
    from core.compare.population import settings_of

    return settings_of(_table, by)


def importance_among(table: RunTable, metric: str) -> Importance:
    """Which params the metric depends on over the runs of a table."""
    from core.experiments.overview import pulse

    return _importance_among(workspace(), pulse(table), metric, table)


@st.cache_data(ttl=600, max_entries=32, show_spinner="Fitting a forest…", hash_funcs={Workspace: id})
def _importance_among(ws: Workspace, pulse: str, metric: str, _table: RunTable) -> Importance:
    from core.compare.population import importance_among

    return importance_among(_table, metric)
