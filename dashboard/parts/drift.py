"""Pieces of the Drift page: one column in detail, and the tabs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.drift.monitor import MonitorReport, Status
from core.drift.performance import PerformanceReport
from core.drift.present import quality_sentences
from core.drift.shape import NumericShape
from core.drift.trend import TrendWindow, since
from core.drift.types import ColumnReport
from core.errors import ModelDeskError
from core.privacy import HIDDEN, small_count
from dashboard.charts.drift import column_over_time, cumulative, distribution
from dashboard.palette import MISSING, Palette, mark, number
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state
from dashboard.parts.marks import inline_badge
from dashboard.parts.text import literal
from dashboard.services import monitors

_MOST_LINES = 4


def headlines(reports: Sequence[MonitorReport], chosen: str, unmonitored: Sequence[str]) -> None:
    """One line per model, the chosen one first; many others, and those that nobody watches, take little room."""
    first = [report for report in reports if report.model == chosen]
    others = [report for report in reports if report.model != chosen]
    for report in first:
        headline(report)
    if len(others) > _MOST_LINES:
        worst = sum(report.status in (Status.DEGRADED, Status.DRIFT) for report in others)
        with st.expander(f"{len(others)} other models, {worst} of them DEGRADED or DRIFT"):
            for report in others:
                headline(report)
    else:
        for report in others:
            headline(report)
    if unmonitored:
        more = f" and {len(unmonitored) - _MOST_LINES} more" if len(unmonitored) > _MOST_LINES else ""
        names = ", ".join(f"**{literal(name)}**" for name in unmonitored[:_MOST_LINES])
        st.markdown(
            f"{inline_badge(Status.NOT_MONITORED.value)} {names}{more}: no `[[monitors]]` section in "
            "modeldesk.toml names them"
        )


def headline(report: MonitorReport) -> None:
    """One line per model: the word, the name, the reason, since when."""
    where = f" in {report.environment}" if report.environment else ""
    began = f", since **{report.since}**" if report.since else ""
    st.markdown(
        f"{inline_badge(report.status.value)} **{literal(report.model)}**{where}: {literal(report.reason, 400)}{began}"
    )


def engine_note(report: MonitorReport, asked_at: datetime | None) -> None:
    """Where the tables are that were compared, when, and what cannot be shown of them therefore."""
    when = f" on {asked_at:%Y-%m-%d %H:%M} UTC" if asked_at else ""
    st.info(
        f"Compared inside **{report.drift.engine}** by the last run of `monitor`{when}: its rows stayed there, only "
        "counts came here. Performance, importance, segments and the picture of a column need the rows.",
        icon=":material/database:",
    )


def moved_line(report: MonitorReport, windows: Sequence[TrendWindow]) -> None:
    """What moved, since when, and how much the model uses it: before any picture."""
    alarms = report.drift.alarms if report.drift else ()
    if not alarms:
        return
    said = []
    for column in alarms[:_MOST_LINES]:
        began = since(windows, column.name)
        used = "" if column.importance is None else f", {column.importance:.0%} of what the model uses"
        said.append(f"**{literal(column.name)}** {f'since {began}' if began else column.verdict.value}{used}")
    more = f" · {len(alarms) - _MOST_LINES} more under All columns" if len(alarms) > _MOST_LINES else ""
    st.markdown(f"Moved: {' · '.join(said)}{more}")


def column_table(report: MonitorReport, windows: Sequence[TrendWindow]) -> None:
    """Every column of the window in one sortable table: what drifted first, then what the model uses most."""
    alarms = {column.name for column in report.drift.alarms} if report.drift else ()
    columns = sorted(
        report.drift.columns if report.drift else (),
        key=lambda column: (column.name not in alarms, -(column.importance or 0)),
    )
    st.dataframe(
        pd.DataFrame(
            {
                "column": [column.name for column in columns],
                "verdict": [mark(column.verdict.value).text for column in columns],
                "drifting since": [since(windows, column.name) for column in columns],
                "kind": [column.kind.value for column in columns],
                "importance": [column.importance for column in columns],
                "effect": [column.effect for column in columns],
                "adjusted p": [column.adjusted_pvalue for column in columns],
                "KS D": [column.statistics.ks and column.statistics.ks.statistic for column in columns],
                "KS p": [column.statistics.ks and column.statistics.ks.pvalue for column in columns],
                "why": [column.reason for column in columns],
            }
        ),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.4g")
            for name in ("KS D", "KS p", "effect", "adjusted p")
        }
        | {"importance": st.column_config.ProgressColumn(format="percent", max_value=1.0)},
        placeholder=MISSING,
    )
    st.caption("A kind that the rules decided wrongly is changed under Column.")


def column_detail(
    model: str, window: str, at: str, detail: ColumnReport, windows: tuple[TrendWindow, ...], palette: Palette
) -> None:
    """What a column looked like, what it looks like now, since when, and where it moved."""
    began = since(windows, detail.name)
    st.markdown(f"{inline_badge(detail.verdict.value)} {literal(detail.reason)}")
    facts = [
        f"kind {detail.kind.value}",
        f"drifting since {began}" if began else "not drifting now",
        "importance unknown"
        if detail.importance is None
        else f"{detail.importance:.0%} of what the model uses",
    ]
    st.caption(" · ".join(facts))
    try:
        shape = monitors.column_shape(model, window, at, detail.name)
    except ModelDeskError as error:
        show_failure(error)
        shape = None
    if shape is not None:
        left, right = st.columns(2)
        left.plotly_chart(distribution(shape, palette), key="distribution")
        if isinstance(shape, NumericShape):
            ks = detail.statistics.ks
            right.plotly_chart(cumulative(shape, ks.statistic if ks else None, palette), key="cumulative")
        else:
            _moved(right, model, window, at, detail.name)
    if detail.effect is not None:
        gate = monitors.effect_gate(detail.test)
        st.plotly_chart(column_over_time(windows, detail.name, gate, palette), key="column_trend")
    left, right = st.columns(2)
    _statistics(left, detail)
    if isinstance(shape, NumericShape):
        _moved(right, model, window, at, detail.name)
    st.caption(
        "Neighbouring bins are joined until each holds no row or more than ten, rare levels are one; the outermost "
        "bins hold all that lies beyond. Where it moved is told in whole bins of the picture, so that the two together "
        "give no small group away; the PSI is over deciles, so the parts come near to it."
    )


def _statistics(place: st.delta_generator.DeltaGenerator, detail: ColumnReport) -> None:
    found = detail.statistics
    rows = [
        ("Kolmogorov-Smirnov D", found.ks and number(found.ks.statistic)),
        ("KS p", found.ks and f"{number(found.ks.pvalue)} ({found.ks.method})"),
        ("chi-square p", found.chi2 and f"{number(found.chi2.pvalue)} ({found.chi2.method})"),
        ("adjusted p", number(detail.adjusted_pvalue)),
        (
            "PSI",
            found.psi is not None and f"{number(found.psi)} (noise up to {number(found.psi_noise_floor)})",
        ),
        ("Jensen-Shannon", found.jensen_shannon is not None and number(found.jensen_shannon)),
        ("Hellinger", found.hellinger is not None and number(found.hellinger)),
        ("Wasserstein / sd", found.wasserstein_normed is not None and number(found.wasserstein_normed)),
        ("total variation", found.total_variation is not None and number(found.total_variation)),
        ("L-infinity", found.l_infinity is not None and number(found.l_infinity)),
        (
            "smallest effect that these rows show",
            detail.detectable is not None and number(detail.detectable, 2),
        ),
    ]
    place.dataframe(
        pd.DataFrame([row for row in rows if row[1]], columns=["statistic", "value"]), hide_index=True
    )


def _moved(place: st.delta_generator.DeltaGenerator, model: str, window: str, at: str, column: str) -> None:
    try:
        parts = monitors.moved_parts(model, window, at, column)
    except ModelDeskError:  # the picture beside it says why
        return
    if not parts:
        return
    place.dataframe(
        pd.DataFrame(
            {
                "where it moved": [part.name for part in parts],
                "before": [_share(part.reference) for part in parts],
                "now": [_share(part.current) for part in parts],
                "adds to PSI": [part.contribution for part in parts],
            }
        ),
        hide_index=True,
        column_config={"adds to PSI": st.column_config.NumberColumn(format="%.3f")},
        placeholder=MISSING,
    )


def _share(value: float | None) -> str:
    return HIDDEN if value is None else f"{value:.1%}"


def performance_table(measured: PerformanceReport, metric: str) -> None:
    """Realised against estimated, window by window, newest first."""
    rows = [
        (
            part.name,
            str(n),
            str(labelled),
            *_interval(part.metrics.get(metric)),
            part.estimated[metric].value if metric in part.estimated else None,
        )
        for part, (n, labelled) in reversed([*zip(measured.windows, measured.told_counts, strict=True)])
    ]
    names = ["window", "predictions", "labelled", "realised", "from", "to", "estimated"]
    st.dataframe(
        pd.DataFrame(rows, columns=names),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.3f")
            for name in ("realised", "from", "to", "estimated")
        },
        placeholder=MISSING,
    )
    for alert in measured.alerts:
        if alert.metric in (None, metric):
            st.markdown(f"- **{alert.severity.value}** {alert.window or ''} {literal(alert.message)}")


def _interval(metric: object) -> tuple[float | None, ...]:
    return (None, None, None) if metric is None else (metric.value, metric.low, metric.high)


def quality_tab(report: MonitorReport) -> None:
    """What was seen beside drift: missing values, levels, range, types, columns, duplicates, freshness."""
    columns = report.drift.columns if report.drift else ()
    noted = [(column.name, "; ".join(quality_sentences(column))) for column in columns]
    noted = [row for row in noted if row[1]]
    noted += [(finding.column or "all", finding.message) for finding in report.drift.schema]
    facts = report.performance.alerts if report.performance else ()
    noted += [("predictions and labels", alert.message) for alert in facts if alert.type == "data"]
    if noted:
        st.dataframe(pd.DataFrame(noted, columns=["column", "what was seen"]), hide_index=True)
    else:
        st.markdown("No missing values, new levels, range, type or schema changes in this window.")


def segments_tab(model: str, window: str, at: str) -> None:
    """The same check per group of rows."""
    columns = monitors.segment_columns(model, window)
    if not columns:
        st.markdown("No column has levels few enough to look at one by one.")
        return
    chosen = st.selectbox("By", columns, key="segment", bind="query-params", width=240)
    found = monitors.segments(model, window, at, chosen)
    st.dataframe(
        pd.DataFrame(
            {
                chosen: [segment.level for segment in found],
                "rows": [str(segment.told_rows) for segment in found],
                "verdict": [mark(segment.report.verdict.value).text for segment in found],
                "why": [segment.report.reason for segment in found],
                "metric": [segment.metric_name or MISSING for segment in found],
                "value": [segment.metric.value if segment.metric else None for segment in found],
                "95 % interval": [_range(segment.metric) for segment in found],
                "labelled": [str(segment.told_labelled) for segment in found],
            }
        ),
        hide_index=True,
        column_config={"value": st.column_config.NumberColumn(format="%.3f")},
        placeholder=MISSING,
    )
    st.caption(
        f"Each group of {at} against the same group of the training data; the metric over the newest five "
        "windows with labels. Groups of 1 to 10 rows are left out."
    )


def _range(metric: object) -> str:
    return MISSING if metric is None else f"{metric.low:.3f} to {metric.high:.3f}"


def predictions_tab(model: str, window: str, at: str) -> None:
    """Whether the model answers differently from when this version began."""
    found = monitors.prediction_drift(model, window, at)
    if found is None:
        empty_state(
            "No scores and no predictions", "The log holds neither; name their columns in the monitor."
        )
        return
    version = f"v{found.version}" if found.version else "the model"
    st.markdown(
        f"{inline_badge(found.report.verdict.value)} What {version} answers in {at}, against its first "
        f"{small_count(found.rows)} answers: {literal(found.report.reason)}"
    )
    st.dataframe(
        pd.DataFrame(
            {
                "column": [column.name for column in found.report.columns],
                "verdict": [mark(column.verdict.value).text for column in found.report.columns],
                "effect": [column.effect for column in found.report.columns],
                "adjusted p": [column.adjusted_pvalue for column in found.report.columns],
                "why": [column.reason for column in found.report.columns],
            }
        ),
        hide_index=True,
        placeholder=MISSING,
    )
    st.caption(
        f"The first answers are those since {found.since or 'the beginning of the log'}. A model whose inputs move "
        "should answer differently; one whose answers move alone has changed itself."
    )


def whole_rows_tab(model: str, window: str, at: str) -> None:
    """What no single column shows: asked on demand, since it takes a moment."""
    if not st.toggle(
        "Ask a classifier to tell this window from the training data", key="rows", bind="query-params"
    ):
        st.caption("It finds columns that moved together, which each column by itself does not show.")
        return
    found = monitors.whole_rows(model, window, at)
    said = "too few rows: each side needs 50"
    if found.auc is not None:
        said = "AUC **{:.3f}** ({:.3f} to {:.3f}); 0.5 means that the two cannot be told apart".format(
            *found.auc
        )
    st.markdown(f"{inline_badge(found.verdict.value)} {said}.")
    if found.mmd is not None:
        st.caption(
            f"Maximum mean discrepancy (squared, unbiased) {number(found.mmd.statistic)}, "
            f"p {number(found.mmd.pvalue)} from {found.mmd.method}."
        )
