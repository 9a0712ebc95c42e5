"""Resolves the models, keys and word lists of stages, with their hashes for the fingerprint."""
