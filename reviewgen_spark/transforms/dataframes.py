"""The plan of a data frame that is read several times, cut short."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def materialise(rows: DataFrame) -> DataFrame:
    """The same rows, held in memory or on disk, behind a plan of one node.

    `persist` alone saves the work and not the planning: a cached plan stays inside every plan that reads it, and one
    built of a few such steps, each joined with itself, doubles with each. Analysing it, and describing it anew to
    Spark's listeners at each adaptive step, took most of a small batch's time (de-duplicating 10,000 reviews next to a
    million: 44 s, and 15 s without). `localCheckpoint` cuts too (17 s), but loses the rows with an executor; here they
    are computed again.

    Spark's classic sessions only; shuffles before the cut run at once.
    """
    session = rows.sparkSession
    plan = rows._jdf.queryExecution()
    cut = session._jsparkSession.internalCreateDataFrame(plan.toRdd(), rows._jdf.schema(), False)
    return DataFrame(cut, session).persist()


def rows_that_share(history: DataFrame, batch: DataFrame, key: str) -> DataFrame:
    """The rows of a table of all batches that share a key with this batch: sent to the table, not the table to them.

    A batch has at most `ingest.max_rows_per_batch` rows; a table of all batches is never shuffled for it.
    """
    return history.join(F.broadcast(batch.select(key).distinct()), key, "left_semi")
