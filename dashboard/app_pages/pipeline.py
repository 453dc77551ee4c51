"""For whoever runs the pipeline: is what DVC made still current, what would running it do, what has changed."""

import streamlit as st

from core.errors import ModelDeskError
from core.lineage.stages import stage_graph
from core.pipeline.jobs import JobState
from core.pipeline.status import stage_states
from dashboard.charts.lineage import lineage_chart
from dashboard.parts import pipeline as parts
from dashboard.parts import pipeline_revisions as revisions
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.lineage_picture import show_drawing
from dashboard.parts.marks import current_palette
from dashboard.services import pipelines

STAGES, COMPARE, PROBLEMS = "Stages", "Compare revisions", "Problems"
MOST_DRAWN = 300

page_header("Pipeline", "Is what DVC made still current, and what changed between revisions.")
projects = pipelines.projects()
if not projects:
    empty_state(
        "No DVC project yet",
        "Name the repository in `modeldesk.toml`; any folder with `.dvc` in it will do.",
        code='[dvc]\nprojects = ["path/to/repository"]',
        icon=":material/account_tree:",
    )
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = st.selectbox("Project", list(projects), key="project", bind="query-params", width=260)
    project = projects[name]
    try:
        known = pipelines.named_revisions(project)
    except ModelDeskError as error:
        show_failure(error)
        st.stop()
    labels = revisions.revision_labels(known)
    at = st.selectbox("As of", list(labels), format_func=labels.__getitem__, key="rev", width=330)
revision = revisions.asked(at)

try:
    pipeline, findings = pipelines.pipeline(project, revision)
    checked = st.session_state.get(f"checked {project}") if revision is None else None
    states = stage_states(pipeline, checked)
except ModelDeskError as error:
    show_failure(error)
    st.stop()

parts.standing(pipeline, states)
job = pipelines.last_job(project)
with st.container(horizontal=True, vertical_alignment="bottom"):
    running = job is not None and job.state is JobState.RUNNING
    if revision is None and not running:
        parts.reproduce_button(project, primary=any(state.state in parts.TO_DO for state in states))
    if revision is None and st.button("Check files", icon=":material/fact_check:", key="check_files"):
        bar = st.progress(0.0, text="Reading files…")
        done = pipelines.check_files(
            project,
            lambda read, total: bar.progress(
                min(1.0, read / total if total else 1.0), f"{read / 2**20:,.0f} of {total / 2**20:,.0f} MB"
            ),
        )
        st.session_state[f"checked {project}"] = done
        st.rerun()
    with st.popover("Report", icon=":material/download:"):
        for suffix, title in (("md", "Markdown"), ("html", "HTML"), ("json", "JSON")):
            st.download_button(
                title,
                lambda suffix=suffix: pipelines.report(project, revision, checked, suffix),
                f"pipeline.{suffix}",
                on_click="ignore",
                width="stretch",
            )
if running:
    parts.watch_job(project, job.job_id, pipelines.planned(project, job))
elif job is not None:
    parts.finished_job(project, job)

if findings:
    st.caption(f":material/report: {len(findings)} problems were found; see {PROBLEMS}.")
view = st.segmented_control(
    "Show",
    [STAGES, COMPARE, PROBLEMS],
    default=STAGES,
    key="view",
    bind="query-params",
    label_visibility="collapsed",
)
if view == PROBLEMS:
    if findings:
        parts.finding_table(findings)
    else:
        st.success("Nothing would keep this pipeline from running.", icon=":material/check_circle:")
elif view == COMPARE:
    chosen = revisions.choose(labels, known)
    if not chosen:
        st.info("Choose one or more revisions.")
        st.stop()
    wanted = tuple(revisions.asked(choice) for choice in chosen)
    try:
        metrics, params = pipelines.measures(project, wanted)
        drawn = pipelines.plots(project, wanted)
    except ModelDeskError as error:
        show_failure(error)
        st.stop()
    commits = {one.commit: choice for one, choice in zip(metrics, chosen, strict=True) if one.commit}
    names = dict(zip(wanted, chosen, strict=True))
    st.markdown("## Metrics")
    revisions.measure_table(metrics, chosen, "metrics", only_different=False)
    stored = [one for measures in metrics for one in measures.stored]
    stored += [plot.stored for plot in drawn.plots if plot.stored]
    revisions.stored_files(project, list(dict.fromkeys(stored)), commits | {None: revisions.WORKING_TREE})
    st.markdown("## Params")
    revisions.measure_table(params, chosen, "params", only_different=len(chosen) > 1)
    st.markdown("## Plots")
    revisions.plot_grid(drawn, names)
else:
    graph = stage_graph(pipeline, states)
    if 1 < len(graph.nodes) <= MOST_DRAWN:
        drawing = lineage_chart(graph, current_palette())
        show_drawing(
            drawing,
            key=f"stages of {name} {at}",
            alt=f"{len(graph.nodes)} stages and data files; the table below says the same.",
        )
    parts.stage_table(pipeline, states)

parts.show_pending()
