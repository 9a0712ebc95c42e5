"""Summarises the reviews of a product by chosen sentences and counts of aspects."""
