"""Taking a version out of use and back, on its page."""

from __future__ import annotations

import streamlit as st

from core.access import Action
from dashboard import services
from dashboard.palette import moment
from dashboard.parts.reasoned import Reasoned, reasoned_button
from dashboard.parts.text import literal


def archive_control(model: str, version: int) -> None:
    """Who archived the version and why, and the button back; or the button that archives it."""
    held = services.archived(model).get(version)
    if held is not None:
        st.caption(
            f":material/archive: Archived by {literal(held.actor.printed_name)}, {moment(held.at)}: "
            f"{literal(held.reason, 400)}"
        )
        about = Reasoned(
            f"Restore v{version}",
            (f"{model} v{version} becomes a candidate again.",),
            f"Restore v{version}",
            lambda actor, reason: services.restore(model, version, actor, reason),
        )
        label, icon, refusal = f"Restore v{version}", ":material/unarchive:", ""
    else:
        about = Reasoned(
            f"Archive v{version}",
            (
                f"Nobody can ask for a release of {model} v{version}, or make it live, until it is restored.",
                "Its files, its run and every decision about it stay.",
            ),
            f"Archive v{version}",
            lambda actor, reason: services.archive(model, version, actor, reason),
        )
        label, icon = f"Archive v{version}", ":material/archive:"
        refusal = services.refusal_to_archive(model, version)
    reasoned_button(
        label, about, Action.ARCHIVE_VERSION, model, "", key="archive_control", icon=icon, blocked=refusal
    )
