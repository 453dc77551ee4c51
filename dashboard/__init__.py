"""The dashboard: a multi-page Streamlit app that calls into core and draws what it returns."""
