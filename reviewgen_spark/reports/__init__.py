"""Draws HTML pages: the nightly report, the page of a model, the gallery of generated texts."""
