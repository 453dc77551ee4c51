"""For everyone, first thing: what is live, and what needs somebody now?"""

import streamlit as st

from dashboard import services
from dashboard.parts.header import empty_state, page_header

page_header("Overview", "What is live, and what needs somebody now.")
models = services.workspace().registry.models()

if not models:
    empty_state("No registered models yet", "Register a model in MLflow; it appears here with its live version.")
    st.stop()
st.dataframe(
    [{"model": model.name, "versions": model.versions_count, **model.aliases} for model in models],
    hide_index=True,
)
