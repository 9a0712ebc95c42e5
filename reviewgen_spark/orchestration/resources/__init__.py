"""Finds what stages need besides tables: models, keys, word lists, and hashes them."""
