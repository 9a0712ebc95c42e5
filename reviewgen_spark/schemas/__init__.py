"""Declares every table: columns with meaning, unit and source, key, checks, and the one stage that writes it.

A run creates missing tables and columns at its start. `docs/data-dictionary.md` is generated from this package.
"""

from collections.abc import Mapping

from reviewgen_spark.schemas import bronze, facts, generated, gold, ops, silver
from reviewgen_spark.schemas.columns import Table

__all__ = ["TABLES", "Table"]

TABLES: Mapping[str, Table] = {
    table.name: table for layer in (bronze, silver, gold, facts, generated, ops) for table in layer.TABLES
}
