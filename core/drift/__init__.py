"""Drift and performance: what changed in the data, does it matter to the model, and since when."""
