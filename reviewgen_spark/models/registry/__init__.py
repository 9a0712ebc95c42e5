"""Keeps versions of models in MLflow: aliases, the promotion gate, local copies."""
