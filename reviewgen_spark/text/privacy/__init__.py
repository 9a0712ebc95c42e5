"""Finds and masks personal data, and hashes the ids of erased users and reviews."""
