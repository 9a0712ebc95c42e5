"""Gives tables, views and functions to SQL, a Python prompt and notebooks."""
