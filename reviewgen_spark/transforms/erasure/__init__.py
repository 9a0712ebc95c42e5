"""Finds the rows of tables and the records of delivered files that an erasure removes."""
