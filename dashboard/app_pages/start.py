"""For whoever opens Model Desk for the first time: nothing is configured, how to point it at one's own stores."""

import streamlit as st

from dashboard import services
from dashboard.parts.header import page_header

settings = services.workspace().settings

page_header(
    "Welcome to Model Desk", "Nothing is configured yet: name your MLflow and DVC, or look at the demo."
)

demo, own = st.columns(2)
with demo.container(border=True, height="stretch"):
    st.header("Look around first", anchor=False)
    st.markdown(
        "The demo workspace has real runs, models, a DVC pipeline and drift, all made on this machine."
    )
    st.code("make run", language="bash")
with own.container(border=True, height="stretch"):
    st.header("Use your own MLflow and DVC", anchor=False)
    st.markdown(f"Put a file named `modeldesk.toml` into `{settings.root}`, then reload this page:")
    st.code(
        'name = "Our team"\n\n'
        '[mlflow]\ntracking_uri = "http://mlflow.example:5000"\n# or sqlite:///mlflow.db, postgresql://…\n\n'
        '[dvc]\nprojects = ["path/to/your/repository"]\n',
        language="toml",
    )
    st.markdown(
        "Or set environment variables (a `.env` file works too): `MLFLOW_TRACKING_URI`, or "
        "`MODELDESK_MLFLOW__TRACKING_URI` and `MODELDESK_DVC__PROJECTS`. The README lists every setting."
    )
