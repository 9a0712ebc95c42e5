"""Splits texts into sentences and words, and ranks words."""
