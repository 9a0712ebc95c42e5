"""Computes and draws the report of a run: queries, figures, page."""
