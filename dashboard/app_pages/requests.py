"""For the ML lead: what waits for me, what waits for others, and what is done?"""

from datetime import UTC, datetime

import streamlit as st

from core.registry.queue import Turn
from dashboard import services
from dashboard.parts.answers import show_answer
from dashboard.parts.desk import deputies_tab, reviews_tab
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.parts.request import request_row, unjudged_notice
from dashboard.services import requests

SHOWN = 50

page_header("Requests", "What waits for a decision, and whose turn it is.")
actor = current_actor(services.workspace().settings)
queue = requests.queue(actor)
by_turn = {turn: [item for item in queue if item.turn is turn] for turn in Turn}
tabs = {
    "mine": f"Waiting for me ({len(by_turn[Turn.MINE])})",
    "others": f"Waiting for others ({len(by_turn[Turn.OTHERS])})",
    "done": f"Done ({len(by_turn[Turn.DONE])})",
    "reviews": f"Reviews ({len(requests.reviews_due())})",
    "deputies": "Deputies",
}
# The address holds the plain word: a bound widget would write the label there, with its count.
wanted = st.query_params.get("tab", "mine")
if wanted in tabs and wanted != st.session_state.get("tab_shown"):
    st.session_state["queue_tab"] = wanted
tab = st.segmented_control(
    "Show",
    list(tabs),
    default=None if "queue_tab" in st.session_state else "mine",
    required=True,
    format_func=tabs.__getitem__,
    key="queue_tab",
    label_visibility="collapsed",
)
st.query_params["tab"] = st.session_state["tab_shown"] = str(tab)
show_answer()

if tab == "deputies":
    deputies_tab(actor)
    st.stop()
if tab == "reviews":
    reviews_tab(actor)
    st.stop()
shown = by_turn[{"mine": Turn.MINE, "others": Turn.OTHERS, "done": Turn.DONE}[tab]]
if not shown:
    empty_state(
        {
            "mine": "Nothing waits for you",
            "others": "Nothing waits for others",
            "done": "Nothing was decided yet",
        }[tab],
        "Approval is requested on a version's page, or by `python -m core request-approval`.",
        icon=":material/inbox:",
    )
if shown:
    unjudged_notice(shown[0].judgement)
now = datetime.now(UTC)
for item in shown[:SHOWN]:
    request_row(item, now)
if len(shown) > SHOWN:
    st.caption(f"{len(shown) - SHOWN} older ones: `python -m core approval list`.")
