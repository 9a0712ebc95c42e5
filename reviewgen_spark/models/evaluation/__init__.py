"""Measures models: metrics, curves, robustness, baselines."""
