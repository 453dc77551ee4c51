"""For whoever wonders whether the others were told: every message, whether it arrived, and why not."""

import streamlit as st

from core.access import Action, decide
from core.errors import ModelDeskError
from dashboard import services
from dashboard.palette import MISSING, mark, moment
from dashboard.parts.failure import show_failure
from dashboard.parts.header import empty_state, page_header
from dashboard.parts.identity import current_actor
from dashboard.services import notifications

page_header("Notifications", "Who was told of what, and whether it arrived.")
settings = services.workspace().settings
actor = current_actor(settings)
channels = settings.notify.channels
if not channels:
    empty_state(
        "Nobody is told of anything yet",
        "Name a channel in `modeldesk.toml`: a webhook, or Slack, Teams, e-mail, PagerDuty by an Apprise URL.",
        code='[[notify.channels]]\nname = "leads"\nurl = "https://chat.example/hook"\nkinds = ["request_*"]',
        icon=":material/notifications:",
    )
    st.stop()

words = {"sent": "SENT", "waiting": "WAITING", "failed": "GIVEN UP", "duplicate": "TOLD BEFORE"}
try:
    found = notifications.deliveries()
except ModelDeskError as error:
    show_failure(error)
    st.stop()

counts = {word: sum(words[item.state] == word for item in found) for word in words.values()}
with st.container(horizontal=True, vertical_alignment="center"):
    for word, count in counts.items():
        if count:
            st.badge(f"{count} {mark(word).word.lower()}", icon=mark(word).icon, color=mark(word).color)
    if not found:
        st.caption("Nothing was told yet: messages are made of new decisions and alerts.")

with st.container(horizontal=True):
    chosen = st.pills("State", list(words), format_func=lambda state: words[state].capitalize(), key="state",
                      bind="query-params", selection_mode="multi")  # fmt: skip
    channel = st.selectbox(
        "Channel", ["", *(one.name for one in channels)], format_func=lambda name: name or "all channels",
        key="channel", bind="query-params", width=220,
    )  # fmt: skip
shown = [item for item in found if (not chosen or item.state in chosen) and channel in ("", item.channel)]
st.dataframe(
    [
        {
            "State": mark(words[item.state]).text,
            "Channel": item.channel,
            "What": item.title,
            "Made": moment(item.created_at),
            "Sent": moment(item.sent_at) if item.sent_at else MISSING,
            "Next try": moment(item.due_at) if item.state == "waiting" else MISSING,
            "Tries": item.attempts,
            "Page": item.link,
            "Why not": item.error or MISSING,
        }
        for item in shown
    ],
    hide_index=True,
    column_config={"Page": st.column_config.LinkColumn(display_text="open")},
    key="deliveries",
)

allowed = decide(settings, actor, Action.ACKNOWLEDGE)
with st.container(horizontal=True):
    send = st.button(
        "Send what is due", icon=":material/send:", disabled=not allowed.allowed, help=allowed.reason
    )
    test = st.button(
        "Send a test message",
        icon=":material/notifications_active:",
        disabled=not allowed.allowed,
        help=allowed.reason,
    )
try:
    if send:
        tried = notifications.deliver_now(actor)
        st.toast(f"{tried} messages were tried." if tried else "Nothing was due.")
        st.rerun()
    if test:
        for one in notifications.try_channels(actor):
            if one.arrived:
                st.success(f"{one.channel}: the test message was taken.", icon=mark("SENT").icon)
            else:
                st.error(f"{one.channel}: {one.error}", icon=mark("GIVEN UP").icon)
except ModelDeskError as error:
    show_failure(error)
