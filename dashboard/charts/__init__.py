"""Pure functions from domain objects to figures; nothing here imports streamlit."""
