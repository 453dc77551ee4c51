"""The demo workspace: real training, real DVC, real MLflow, generated patients."""
