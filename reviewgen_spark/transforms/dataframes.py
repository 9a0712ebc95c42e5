"""Cuts query plans of DataFrames that are read several times, and filters history by a broadcast join."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def materialise(rows: DataFrame) -> DataFrame:
    """Caches the rows in memory or on disk, behind a plan of one node.

    `persist` alone saves the computation, not the planning, because a cached plan stays inside every plan that reads
    it. A plan of a few such steps, each joined with itself, doubles at each step. Spark analyses it, and describes it
    to its listeners again at each adaptive step. That took most of the time of a small batch: 44 s to de-duplicate
    10,000 reviews next to a million, and 15 s with this cut. `localCheckpoint` cuts the plan too (17 s), but loses the
    rows when an executor is lost; here they are computed again.

    Works in Spark's classic sessions only. Shuffles before the cut run at once.
    """
    session = rows.sparkSession
    plan = rows._jdf.queryExecution()
    cut = session._jsparkSession.internalCreateDataFrame(plan.toRdd(), rows._jdf.schema(), False)
    return DataFrame(cut, session).persist()


def rows_that_share(history: DataFrame, rows: DataFrame, key: str, are_few: bool = True) -> DataFrame:
    """Keeps the rows of a table of all batches that share a key with some rows.

    Args:
        history: The table.
        rows: Rows with the key, such as those of a batch.
        key: Name of the column.
        are_few: Whether the keys are broadcast, so that the table is not shuffled. A batch has at most
            `ingest.max_rows_per_batch` rows, so its keys are few.
    """
    keys = rows.select(key).distinct()
    return history.join(F.broadcast(keys) if are_few else keys, key, "left_semi")
