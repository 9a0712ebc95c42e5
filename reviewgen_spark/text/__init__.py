"""Processes single texts by plain Python functions, without Spark and torch."""
