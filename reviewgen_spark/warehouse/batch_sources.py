"""Reads which source delivered each batch, from the statistics in Delta's log or by a query."""

import pyarrow as pa
from pyspark.sql import functions as F

from reviewgen_spark.warehouse.tables import Warehouse

_TABLE = "bronze_reviews"


def batch_sources(warehouse: Warehouse) -> dict[int, str]:
    """Returns the source of each batch of bronze_reviews; it is empty if the table is missing or has no rows.

    In a mounted folder the log answers without a Spark job. A file whose statistics do not name one source is read.
    """
    if not warehouse.exists(_TABLE):
        return {}
    sources: dict[int, str] = {}
    unknown: set[int] | None = None
    log = warehouse.log(_TABLE)
    if log.is_mounted:
        unknown = set()
        for file in pa.table(log.stored().get_add_actions(flatten=True)).to_pylist():
            batch, low, high = int(file["partition.batch_id"]), file.get("min.source"), file.get("max.source")
            if low is not None and low == high:
                sources[batch] = low
            else:
                unknown.add(batch)
    if unknown is None or unknown:
        rows = warehouse.read(_TABLE)
        if unknown:
            rows = rows.where(F.col("batch_id").isin(sorted(unknown)))
        sources |= {
            row.batch_id: row.source for row in rows.groupBy("batch_id").agg(F.min("source").alias("source")).collect()
        }
    return sources
