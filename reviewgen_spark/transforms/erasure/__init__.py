"""Finds what an erasure takes out of tables and delivered files."""
