"""Defines requests for texts: purposes, prompts, templates, refusals, provenance."""
