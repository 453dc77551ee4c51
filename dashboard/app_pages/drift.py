"""For whoever answers for a live model: has its input or its performance moved, since when, does it matter?"""

import json

import pandas as pd
import streamlit as st

from core.drift.export import to_html, to_markdown
from core.drift.monitor import MonitorReport
from core.drift.performance import performance_json
from core.drift.present import count, quality_sentences, report_json
from core.drift.shape import NumericShape
from core.drift.trend import since
from core.errors import ModelDeskError
from dashboard import services
from dashboard.charts.drift import cumulative, distribution, drift_map, performance_over_time
from dashboard.palette import mark, number
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.marks import current_palette, status_badge

WINDOWS = ("day", "week")
palette = current_palette()
page_header("Drift", "Has a model's input or performance moved, by how much, and since when?")


def headline(report: MonitorReport) -> None:
    """One line per model: the word, the name, the reason."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status_badge(report.status.value)
        st.markdown(f"**{report.model}** {report.environment} · {report.reason}")


watched = services.monitored_models()
if not watched:
    empty_state(
        "No model is monitored",
        "Name a model's prediction log and its training data in `modeldesk.toml`, then reload:",
        code='[[monitors]]\nmodel = "my-model"\npredictions = "predictions/my-model"\n'
        'labels = "labels/my-model"\nreference = "data/train.parquet"',
        icon=":material/visibility_off:",
    )
    st.stop()

with st.container(horizontal=True):
    model = st.selectbox("Model", watched, key="model", bind="query-params")
    window = st.segmented_control(
        "Window", WINDOWS, default="day", required=True, key="window", bind="query-params"
    )

reports = {name: services.monitor_report(name, window) for name in watched}
for found in reports.values():
    headline(found)
unwatched = services.unmonitored_models()
for name in unwatched:
    with st.container(horizontal=True, vertical_alignment="center"):
        status_badge("NOT MONITORED")
        st.markdown(f"**{name}** no `[[monitors]]` section in modeldesk.toml names this model")

report = reports[model]
if report.drift is None:
    empty_state("Nothing could be compared", report.reason, icon=":material/error:")
    st.stop()

st.subheader(f"Columns in {report.window} against the training data", anchor=False)
st.caption(f"{report.drift.verdict.value}: {report.drift.reason}.")
st.dataframe(
    pd.DataFrame(
        {
            "column": [column.name for column in report.drift.columns],
            "verdict": [mark(column.verdict.value).text for column in report.drift.columns],
            "kind": [column.kind.value for column in report.drift.columns],
            "KS D": [
                column.statistics.ks and column.statistics.ks.statistic for column in report.drift.columns
            ],
            "KS p": [column.statistics.ks and column.statistics.ks.pvalue for column in report.drift.columns],
            "effect": [column.effect for column in report.drift.columns],
            "adjusted p": [column.adjusted_pvalue for column in report.drift.columns],
            "why": [column.reason for column in report.drift.columns],
        }
    ),
    hide_index=True,
    column_config={
        name: st.column_config.NumberColumn(format="%.4g")
        for name in ("KS D", "KS p", "effect", "adjusted p")
    },
)

column_tab, map_tab, performance_tab, quality_tab, export_tab = st.tabs(
    ["Column", "Over time", "Performance", "Quality", "Export"]
)

with column_tab:
    alarmed = [column.name for column in report.drift.alarms]
    others = [column.name for column in report.drift.columns if column.name not in alarmed]
    chosen = st.selectbox("Column", [*alarmed, *others], key="column", bind="query-params")
    detail = report.drift.column(chosen)
    status_badge(detail.verdict.value, help=detail.reason)
    try:
        shape = services.column_shape(model, window, report.window, chosen)
    except ModelDeskError as error:
        show_failure(error)
        shape = None
    if shape is None:
        st.info(f"No chart: {detail.reason}.")
    else:
        left, right = st.columns(2)
        left.plotly_chart(distribution(shape, palette), key="distribution")
        if isinstance(shape, NumericShape):
            ks = detail.statistics.ks
            right.plotly_chart(cumulative(shape, ks.statistic if ks else None, palette), key="cumulative")
        st.caption("Bins and levels of 1 to 10 rows are hidden; the outermost ten values are not drawn.")
    found = detail.statistics
    st.dataframe(
        pd.DataFrame(
            [
                ("Kolmogorov-Smirnov D", number(found.ks.statistic if found.ks else None)),
                ("KS p", f"{number(found.ks.pvalue)} ({found.ks.method})" if found.ks else number(None)),
                ("Chi-square p", number(found.chi2.pvalue if found.chi2 else None)),
                ("PSI", f"{number(found.psi)} (noise up to {number(found.psi_noise_floor)})"),
                ("Jensen-Shannon", number(found.jensen_shannon)),
                ("Hellinger", number(found.hellinger)),
                ("Wasserstein / sd", number(found.wasserstein_normed)),
                ("Total variation", number(found.total_variation)),
            ],
            columns=["statistic", "value"],
        ),
        hide_index=True,
    )

with map_tab:
    windows = services.drift_trend(model, window)
    tested = [column.name for column in report.drift.columns if column.effect is not None]
    st.plotly_chart(drift_map(windows, tested, palette), key="map")
    st.caption("▲ marks a column that drifted in that window; colour is the size of the effect.")
    began = [(name, since(windows, name)) for name in tested]
    st.dataframe(
        pd.DataFrame([row for row in began if row[1]], columns=["column", "drifting since"]), hide_index=True
    )

with performance_tab:
    measured = report.performance
    names = sorted({name for part in measured.windows for name in (*part.metrics, *part.estimated)})
    if not names:
        empty_state("No labels and no scores yet", "Performance appears here when labels arrive.")
    else:
        first = names.index("auroc") if "auroc" in names else 0
        metric = st.selectbox("Metric", names, index=first, key="metric", bind="query-params")
        st.plotly_chart(performance_over_time(measured, metric, palette), key="performance")
        st.dataframe(
            pd.DataFrame(
                [
                    (
                        part.name,
                        str(count(part.n)),
                        str(count(part.labelled)),
                        part.metrics[metric].value if metric in part.metrics else None,
                        part.estimated[metric].value if metric in part.estimated else None,
                    )
                    for part in measured.windows
                ],
                columns=["window", "predictions", "labelled", metric, "estimated"],
            ),
            hide_index=True,
        )
    for alert in measured.alerts:
        if alert.metric in (None, metric if names else None):
            st.markdown(f"- **{alert.severity.value}** {alert.window or ''} {alert.message}")

with quality_tab:
    noted = [(column.name, "; ".join(quality_sentences(column))) for column in report.drift.columns]
    noted = [row for row in noted if row[1]]
    noted += [(finding.column or "all", finding.message) for finding in report.drift.schema]
    if noted:
        st.dataframe(pd.DataFrame(noted, columns=["column", "what was seen"]), hide_index=True)
    else:
        st.markdown("No missing values, new levels, range, type or schema changes in this window.")

with export_tab, st.container(horizontal=True):
    document = report_json(report.drift) | {"performance": performance_json(report.performance)}
    stem = f"drift-{model}-{report.window}"
    st.download_button("HTML", to_html(report), f"{stem}.html", "text/html", on_click="ignore")
    st.download_button("Markdown", to_markdown(report), f"{stem}.md", "text/markdown", on_click="ignore")
    st.download_button(
        "JSON", json.dumps(document, default=str), f"{stem}.json", "application/json", on_click="ignore"
    )
