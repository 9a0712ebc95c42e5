"""What a batch meets of the batches before it."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def only(history: DataFrame, batch: DataFrame, key: str) -> DataFrame:
    """The rows of a table of all batches that share a key with this batch: sent to the table, not the table to them.

    A batch has at most `ingest.max_rows_per_batch` rows; a table of all batches is never shuffled for it.
    """
    return history.join(F.broadcast(batch.select(key).distinct()), key, "left_semi")
