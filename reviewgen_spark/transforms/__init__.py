"""Transforms DataFrames for each stage in Spark; uses no torch, and neither reads nor writes tables."""
