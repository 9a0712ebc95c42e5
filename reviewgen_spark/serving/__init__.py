"""Answers questions about the tables and about texts."""
