"""Holds a trained classifier: its heads, its folder, and prediction."""
