"""For the ML lead: may this version go live? Evidence, reason and decision on one screen."""

import streamlit as st

from core.errors import ModelDeskError
from dashboard import services
from dashboard.parts import judged
from dashboard.parts import request as parts
from dashboard.parts.answers import show_answer, show_dialog
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.parts.marks import request_word, status_badge
from dashboard.parts.promote import promote_button
from dashboard.parts.release import show_pending, show_result
from dashboard.parts.text import shortened
from dashboard.services import requests

request_id = st.query_params.get("id", "")
actor = current_actor(services.workspace().settings)
try:
    if not request_id:
        page_header("Request", "One request for a release in full.")
        empty_state("No request chosen", "Choose one in the queue.", icon=":material/inbox:")
        st.page_link("app_pages/requests.py", label="Requests", icon=":material/inbox:")
        st.stop()
    found = requests.dossier(request_id, actor)
except ModelDeskError as error:
    page_header("Request", "One request for a release in full.")
    show_failure(error)
    st.page_link("app_pages/requests.py", label="Requests", icon=":material/inbox:")
    st.stop()

opened = found.judgement.request.opened
page_header(
    f"{shortened(opened.model, 80)} v{opened.version} to {opened.environment}",
    parts.headline(found, parts.now()),
)
show_answer()
show_result()
subject = f"version:{opened.model}/{opened.version}"
with st.container(horizontal=True, vertical_alignment="center", key="request_line"):
    status_badge(request_word(found.judgement))
    for page, label, icon, query in (
        ("version", "Version", ":material/article:", {"model": opened.model, "version": str(opened.version)}),
        ("lineage", "Lineage", ":material/account_tree:", {"find": subject}),
        ("requests", "All requests", ":material/inbox:", {}),
    ):
        st.page_link(f"app_pages/{page}.py", label=label, icon=icon, query_params=query)
    if opened.champion:
        st.page_link(
            "app_pages/compare.py",
            label="Compare",
            icon=":material/compare_arrows:",
            query_params={"runs": subject, "baseline": f"version:{opened.model}/{opened.champion}"},
        )
    promote_button(found)

evidence, decision = st.columns([8, 5], gap="small")
with decision:
    with st.container(border=True, gap="small", key="decision"):
        parts.decision_card(found)
    code = st.container()
    with st.container(border=True, gap="xsmall", key="lineage"):
        st.markdown("**Where it comes from**")
        parts.lineage_facts(found)
    with st.container(border=True, gap="xsmall", key="signatures"):
        st.markdown("**Approvals**")
        parts.signatures(found)
    with st.container(border=True, gap="xsmall", height=150, key="history"):
        parts.history(found)
with evidence:
    verdicts = requests.against_champion(request_id)
    against = f"Against v{opened.champion}, live in {opened.environment}" if opened.champion else "Metrics"
    with st.container(gap="xsmall", key="delta"):
        judged.delta_table(
            f"**{against}**{judged.paired_rows(verdicts)}",
            opened.evidence.get("metrics", {}),
            (opened.version, opened.champion),
            verdicts,
        )
    with st.container(gap="xsmall", key="gates"):
        st.markdown("**Checks of the policy**")
        judged.gate_table(found.gates, opened.champion)
if not (found.judgement.request.closed or found.judgement.request.used_by):
    with code:  # looking into the files takes a second or two: everything else stands by then
        parts.code_facts(found)
show_dialog(found)
show_pending()
