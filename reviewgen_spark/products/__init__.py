"""Computes results for each product: keywords, satisfaction and summaries."""
