"""Checks generated texts before they are published."""
