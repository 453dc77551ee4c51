"""For whoever answers for a live model: has its input or its performance moved, since when, does it matter?"""

import json
from urllib.parse import quote

import streamlit as st

from core.drift.export import Contents, to_html, to_json, to_markdown
from core.drift.monitor import Status
from dashboard import services
from dashboard.charts.drift import drift_map, performance_over_time
from dashboard.parts import drift as parts
from dashboard.parts.alerts import alert_cards, show_alert_dialog
from dashboard.parts.drift_kinds import kind_popover
from dashboard.parts.failure import shown_failures
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import current_palette
from dashboard.parts.reasoned import show_reasoned
from dashboard.parts.release import show_result
from dashboard.parts.text import literal
from dashboard.services import monitors

WINDOWS = ("day", "week")
NEWEST = "newest"
palette = current_palette()
page_header("Drift", "Has a model's input or performance moved, by how much, and since when?")

watched = monitors.monitored_models()
if not watched:
    empty_state(
        "No model is monitored",
        "Name a model's prediction log and its training data in `modeldesk.toml`, then reload:",
        code='[[monitors]]\nmodel = "my-model"\npredictions = "predictions/my-model"\n'
        'labels = "labels/my-model"\nreference = "data/train.parquet"',
        icon=":material/visibility_off:",
    )
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    model = st.selectbox("Model", watched, key="model", bind="query-params", width=320)
    window = st.segmented_control(
        "Window", WINDOWS, default="day", required=True, key="window", bind="query-params"
    )
    names = [NEWEST, *monitors.window_names(model, window)]
    at = st.selectbox("Compare", names, key="at", bind="query-params", width=180)

show_result()
parts.headlines(
    [monitors.monitor_report(name, window) for name in watched], model, monitors.unmonitored_models()
)
report = monitors.monitor_report(model, window, None if at == NEWEST else at)
moved = st.container()
alerts = monitors.open_alerts(model)
alert_cards(alerts, st.query_params.get("alert"))
if not alerts and report.status in (Status.DEGRADED, Status.DRIFT):
    st.button(
        "Record this as an alert",
        icon=":material/notification_add:",
        key="record_findings",
        on_click=lambda: monitors.record_findings(
            model, window, current_actor(services.workspace().settings)
        ),
    )
if report.drift is None:
    empty_state("Nothing could be compared", report.reason, icon=":material/error:")
    show_alert_dialog()
    show_reasoned()
    st.stop()

measured = report.performance
seen = measured.windows if measured else ()
metrics = sorted({name for part in seen for name in (*part.metrics, *part.estimated)})
if measured is None:
    parts.engine_note(report, monitors.asked_at(model, window))
elif not metrics:
    st.header("Performance over time", anchor=False)
    empty_state("No labels and no scores yet", "Performance appears here when labels arrive.")
else:
    first = metrics.index("auroc") if "auroc" in metrics else 0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Performance over time", anchor=False)
        metric = st.selectbox(
            "Metric", metrics, index=first, key="metric", bind="query-params", width=180,
            label_visibility="collapsed",
        )  # fmt: skip
    st.plotly_chart(
        performance_over_time(measured, metric, monitors.timeline(model), palette), key="performance"
    )
    if report.since and measured.unforeseen(metric, report.since):
        st.caption(
            f"The estimate did not see the fall of {report.since}: it knows the inputs, and what they mean for the "
            "outcome has changed. Look at labels and at how they come about before retraining."
        )
    with st.expander("Realised against estimated, window by window", icon=":material/table:"):
        parts.performance_table(measured, metric)

windows = monitors.drift_trend(model, window)
st.header("Columns over time", anchor=False)
alarmed = [column.name for column in report.drift.alarms]
tested = [column.name for column in report.drift.columns if column.effect is not None]
tested = sorted(tested, key=lambda name: (name not in alarmed, -(report.drift.column(name).importance or 0)))
st.plotly_chart(drift_map(windows, tested, palette), key="map")
st.caption(
    "▲ marks a column that drifted in that window; colour is the size of the effect. Drifting columns first."
)
with moved:
    parts.moved_line(report, windows)

st.header(f"{report.window} against the reference", anchor=False)
st.caption(
    f"{report.drift.verdict.value}: {literal(report.drift.reason)}. "
    f"Reference: {literal(monitors.reference_name(model))}."
)
known = None if report.drift.engine else monitors.importance(model, window, report.window)
if known is not None:
    st.caption(known.sentence)
titles = ["Column", "All columns", "Quality", "Segments", "Predictions", "Whole rows", "Export"]
if report.drift.engine:
    titles = ["Column", "All columns", "Quality", "Export"]  # the others look at rows
tabs = dict(zip(titles, st.tabs(titles), strict=True))
with tabs["Column"]:
    others = [column.name for column in report.drift.columns if column.name not in alarmed]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Column", [*alarmed, *others], key="column", bind="query-params", width=320)
        if not report.drift.engine:
            kind_popover(model, window, report.environment, chosen)
    origin = monitors.training_data(model)
    if origin is not None:
        version, data = origin
        st.page_link(
            "app_pages/lineage.py",
            label=f"Every version trained on v{version}'s data ({str(data.attributes.get('hash'))[:8]})",
            icon=":material/account_tree:",
            query_params={"focus": data.id, "impact": "true"},
        )
    parts.column_detail(model, window, report.window, report.drift.column(chosen), windows, palette)
with tabs["All columns"]:
    parts.column_table(report, windows)
with tabs["Quality"]:
    parts.quality_tab(report)
if "Segments" in tabs:
    with tabs["Segments"], shown_failures():
        parts.segments_tab(model, window, report.window)
    with tabs["Predictions"], shown_failures():
        parts.predictions_tab(model, window, report.window)
    with tabs["Whole rows"], shown_failures():
        parts.whole_rows_tab(model, window, report.window)
with tabs["Export"], st.container(horizontal=True):
    contents = Contents(report, windows, monitors.timeline(model), tuple(alert.event for alert in alerts))
    stem = f"drift-{quote(model, safe='')}-{report.window}"
    for label, make, suffix, kind in (
        ("HTML", to_html, "html", "text/html"),
        ("Markdown", to_markdown, "md", "text/markdown"),
        ("JSON", lambda shown: json.dumps(to_json(shown), default=str), "json", "application/json"),
    ):
        st.download_button(label, make(contents), f"{stem}.{suffix}", kind, on_click="ignore")

show_alert_dialog()
show_reasoned()
