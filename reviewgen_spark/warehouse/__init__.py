"""Reads and writes the Delta tables: schema evolution, driver tables, compaction and VACUUM."""
