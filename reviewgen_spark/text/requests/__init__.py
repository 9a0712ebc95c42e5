"""Describes what a text is requested for: purposes, prompts, templates, refusals, provenance."""
