"""For the ML lead and the auditor: can the record be believed, and who may do what?"""

import streamlit as st

from dashboard import services
from dashboard.parts.audit import access_tab, chain_card, coverage_tab, events_tab
from dashboard.parts.header import page_header
from dashboard.parts.identity import current_actor
from dashboard.services import audit

page_header("Audit", "Can the record be believed, and who may do what?")
actor = current_actor(services.workspace().settings)
chain_card(audit.chain_head(), actor)

tabs = st.tabs(
    ["Who may do what", "What is recorded", "Events"], key="show", on_change="rerun", bind="query-params"
)
for tab, show in zip(tabs, (access_tab, coverage_tab, events_tab), strict=True):
    if tab.open:
        with tab:
            show()
