"""For an auditor, on a version's page: the evidence pack to take away, and the model card."""

from __future__ import annotations

import streamlit as st

from core.access import Action, decide
from core.errors import ModelDeskError
from core.evidence.card_text import card_html
from core.evidence.types import NOT_PROVIDED, Card, Field
from dashboard import services
from dashboard.parts.failure import show_failure
from dashboard.parts.identity import current_actor
from dashboard.parts.text import literal


def evidence_section(model: str, version: int) -> None:
    """Two downloads in a row, and the card folded beneath them."""
    settings = services.workspace().settings
    actor = current_actor(settings)
    allowed = decide(settings, actor, Action.EXPORT, model)
    try:
        card = services.model_card(model, version)
    except ModelDeskError as error:
        show_failure(error)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Evidence pack (ZIP)",
            services.evidence_pack(model, version, actor),
            file_name=services.pack_name(model, version),
            mime="application/zip",
            icon=":material/verified_user:",
            disabled=not allowed.allowed,
            help="Metrics, gates with their thresholds, lineage, approvals, ledger extract, packages and model "
            "card in one file that can be checked offline. The export is recorded."
            if allowed.allowed
            else allowed.reason,
            key="evidence-pack",
        )
        st.download_button(
            "Model card (HTML)",
            card_html(card),
            file_name=services.pack_name(model, version)
            .replace("evidence-", "card-")
            .replace(".zip", ".html"),
            mime="text/html",
            icon=":material/description:",
            key="model-card",
            on_click="ignore",
        )
    _card(card)


def _card(card: Card) -> None:
    missing = len(card.missing)
    told = f"{missing} answers not provided" if missing else "complete"
    with st.expander(f"Model card: {card.status}, {told}", icon=":material/description:"):
        if missing:
            st.caption(
                "Tell what is missing with tags of the version or the model in MLflow, named "
                + ", ".join(f"`card.{field.key}`" for field in card.missing[:4])
                + " and so on."
            )
        left, right = st.columns(2, gap="medium")
        for index, section in enumerate(card.sections):
            with left if index % 2 == 0 else right:
                lines = [f"- :gray[{field.label}]: {_answer(field)}" for field in section.fields]
                st.markdown("\n".join((f"**{section.title}**\n", *lines)))


def _answer(field: Field) -> str:
    return literal(field.value, 2000) if field.value else f"*{NOT_PROVIDED}*"
