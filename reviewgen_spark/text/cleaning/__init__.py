"""Cleans a text: markup, wrong encodings, emoji, default reviews, normal form, language."""
