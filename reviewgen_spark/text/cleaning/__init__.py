"""Cleans a text: markup, broken encodings, emoji, boilerplate, normal form, language."""
