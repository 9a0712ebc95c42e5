"""Finds and masks personal data, and hashes the keys of erased users."""
