"""Trains and measures generators of texts."""
