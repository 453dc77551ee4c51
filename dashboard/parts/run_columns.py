"""Which columns the table of runs shows, and in what order the runs come; all of it in the URL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import streamlit as st

from core.experiments import overview
from core.experiments.curves import DRAWN_RUNS
from core.experiments.overview import own_tags
from core.experiments.types import Keys, RunTable
from dashboard import services

NONE = "none"


def choose_order(table: RunTable, declared: Sequence[str]) -> str:
    """The order of the runs, as the filter language writes it; '' is newest first."""
    near = overview.suggested_metrics(table, declared)
    metrics = dict.fromkeys([*near, *table.metrics.column_names])
    keys = [f"metrics.`{name}`" if "`" not in name else "" for name in metrics]
    offered = [f"{key} {way}" for key in filter(None, keys) for way in ("DESC", "ASC")]
    held = st.query_params.get("order", "")
    return (
        st.selectbox(
            "Order",
            list(dict.fromkeys(["", *([held] if held else []), "duration DESC", "name", *offered])),
            format_func=_in_words,
            key="order",
            bind="query-params",
            accept_new_options=True,
            help="Or write one, such as `params.max_depth, metrics.auroc DESC`. "
            "A click on a column only sorts what is on the screen.",
        )
        or ""
    )


def choose_columns(everything: RunTable, declared: Sequence[str]) -> Keys:
    """Which columns to show; a pattern such as ``val_*`` stands for every name that fits.

    Names are offered and suggested from ``everything``, the whole experiment: a search must not change columns.
    """
    metrics, params, tags = (
        everything.metrics.column_names,
        everything.params.column_names,
        own_tags(everything),
    )
    return Keys(
        metrics=_chooser("metrics", metrics, overview.suggested_metrics(everything, declared)),
        params=_chooser("params", params, overview.suggested_params(everything)),
        tags=_chooser("tags", tags, ()),
    )


def choose_curve(everything: RunTable, table: RunTable) -> dict[str, list[float]]:
    """The curves to draw beside the first runs of ``table``, by run id; none when no curve is wanted."""
    curve = _choose_curve(everything)
    curves = services.curves(table.first_ids(DRAWN_RUNS), curve) if curve else {}
    if curves and len(table) > DRAWN_RUNS:
        st.caption(f"Curves are drawn for the first {DRAWN_RUNS} of {len(table):,} runs.")
    return curves


def curve_name() -> str:
    """The metric whose curve the table shows, as chosen by :func:`choose_curve`; '' for none."""
    return st.session_state.get("curve shown") or ""


def _chooser(kind: str, names: Sequence[str], suggested: Sequence[str]) -> tuple[str, ...]:
    held = st.query_params.get(kind)
    asked = held.split(",") if held else [] if held == "" else list(suggested)
    patterns = [item for item in asked if item not in names and item.strip()]
    of_names = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    chosen = st.multiselect(
        f"{kind.capitalize()} ({len(names):,})",
        [*patterns, *names],
        default=[item for item in asked if item in names or item in patterns],
        key=f"{kind} of {of_names}",
        placeholder="type to find one, or a pattern such as val_*",
        accept_new_options=True,
        wrap=True,
    )
    if held is not None or chosen != list(suggested):
        st.query_params[kind] = ",".join(chosen)
    return overview.expanded(chosen, names)


def _choose_curve(table: RunTable) -> str:
    names = table.metrics.column_names
    suggested = services.curve_metric(table.first_ids(20), names)
    curve = st.selectbox(
        "Curve of",
        [NONE, *names],
        index=names.index(suggested) + 1 if suggested in names else 0,
        key="curve",
        bind="query-params",
        help="A small picture of the metric over its steps in each row.",
    )
    found = "" if curve in (NONE, None) else curve
    st.session_state["curve shown"] = found
    return found


def _in_words(order: str) -> str:
    if not order:
        return "newest first"
    key, _, way = order.rpartition(" ")
    name = key.removeprefix("metrics.").strip("`")
    if "," not in order and way in ("DESC", "ASC"):
        return f"{name}, {'highest' if way == 'DESC' else 'lowest'} first"
    return order
