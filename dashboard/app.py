"""The app's frame: page config, navigation and who you are; each page does the rest."""

from pathlib import Path

import streamlit as st

from core.errors import ModelDeskError
from dashboard import services
from dashboard.background import first_page_drawn
from dashboard.memory import set_modules_aside
from dashboard.parts.attention import attention_strip
from dashboard.parts.failure import show_failure
from dashboard.parts.header import APP
from dashboard.parts.identity import current_actor, require_sign_in, show_identity

HERE = Path(__file__).parent
STATIC = HERE / "static"

st.set_page_config(page_title=APP, page_icon=str(STATIC / "favicon.svg"), layout="wide")
st.logo(
    str(STATIC / ("logo-dark.svg" if st.context.theme.type == "dark" else "logo-light.svg")),
    icon_image=str(STATIC / "favicon.svg"),
)

try:
    settings = services.workspace().settings
except ModelDeskError as error:
    show_failure(error)
    st.stop()
require_sign_in(settings)


def page(name: str, title: str, icon: str, **options: object) -> st.Page:
    """The page in app_pages/``name``.py, at /``name``."""
    return st.Page(HERE / "app_pages" / f"{name}.py", title=title, icon=icon, url_path=name, **options)


sections = {
    "Build": [
        page("experiments", "Experiments", ":material/science:"),
        page("compare", "Compare", ":material/compare_arrows:"),
        page("pipeline", "Pipeline", ":material/conversion_path:"),
        page("lineage", "Lineage", ":material/account_tree:"),
    ],
    "Release": [
        page("registry", "Registry", ":material/inventory_2:"),
        page("requests", "Requests", ":material/inbox:"),
        page("deploy", "Deploy", ":material/rocket_launch:"),
    ],
    "Watch": [page("drift", "Drift", ":material/monitoring:")],
    "Govern": [
        page("audit", "Audit", ":material/policy:"),
        page("notifications", "Notifications", ":material/notifications:"),
    ],
    "Details": [
        page("run", "Run", ":material/article:", visibility="hidden"),
        page("version", "Model version", ":material/article:", visibility="hidden"),
        page("request", "Request", ":material/article:", visibility="hidden"),
    ],
}
first = (
    page("overview", "Overview", ":material/dashboard:", default=True)
    if settings.configured
    else page("start", "Start", ":material/flag:", default=True)
)

current = st.navigation({"": [first]} | sections)

with st.sidebar:
    st.caption(f":material/folder_open: {settings.name}")
    if settings.configured:
        attention_strip(services.overview(current_actor(settings)).items)
    show_identity(settings)

try:
    current.run()
finally:
    first_page_drawn.set()
    set_modules_aside()
