"""Runs the demo on real reviews, delivered as a shop would deliver them."""
