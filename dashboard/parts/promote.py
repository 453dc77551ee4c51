"""The buttons that make a version live; their dialog is the Deploy page's."""

from __future__ import annotations

import streamlit as st

from core.errors import ModelDeskError
from core.registry.dossier import Dossier
from dashboard import services
from dashboard.parts.confirm import ask
from dashboard.parts.release import DEPLOY, said
from dashboard.services import releases


def promote_button(found: Dossier) -> None:
    """Offered once the request is approved; disabled with the reason when it cannot be done now."""
    opened = found.judgement.request.opened
    if found.judgement.usable:
        _button(opened.model, opened.version, opened.environment, opened.champion)


def promote_buttons(model: str, version: int) -> tuple[str, ...]:
    """One button an environment, disabled where it cannot be done; gives back the sentences why not."""
    settings = services.workspace().settings
    aliases = services.aliases(model)
    refusals = []
    for environment, alias in settings.environments.items():
        refusal = _button(model, version, environment, aliases.get(alias))
        if refusal:
            refusals.append(f"{environment}: {refusal.what}")
    return tuple(refusals)


def _button(model: str, version: int, environment: str, live: int | None) -> ModelDeskError | None:
    plan = releases.deploy_plan(model, version, environment, live)
    refusal = plan if isinstance(plan, ModelDeskError) else plan.blocked
    st.button(
        f"Promote v{version} to {environment}",
        key=f"promote_{environment}",
        icon=":material/rocket_launch:",
        type="primary" if environment == "production" else "secondary",
        disabled=refusal is not None,
        help=str(refusal) if refusal else f"live now: {said(live)}",
        on_click=ask,
        args=(DEPLOY, plan),
    )
    return refusal
