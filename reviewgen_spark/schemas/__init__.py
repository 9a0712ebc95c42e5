"""Every table, declared once: columns with meaning, unit and source, key, constraints, the one stage that writes it.

Tables converge to this package when a run starts, and `docs/data-dictionary.md` is generated from it.
"""

from collections.abc import Mapping

from reviewgen_spark.schemas import bronze, generated, gold, ops, silver
from reviewgen_spark.schemas.columns import Table

__all__ = ["TABLES", "Table"]

TABLES: Mapping[str, Table] = {
    table.name: table for layer in (bronze, silver, gold, generated, ops) for table in layer.TABLES
}
