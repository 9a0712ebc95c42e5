"""Writes the requests of one batch and reports the results."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark import StorageLevel

from reviewgen_spark.config import Config
from reviewgen_spark.inference.generation.diversity import describe_texts
from reviewgen_spark.inference.generation.generate import write_texts
from reviewgen_spark.inference.generation.setup import Writing, open_spec, settings_for

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def write_batch(
    config: Config,
    writing: Writing,
    requests: "DataFrame",
    table: str,
    fingerprint: str,
    report: Callable[[str], None],
) -> "DataFrame":
    """Writes the requests of a batch, each once, and reports how many texts there are and how similar they are.

    Args:
        config: the whole configuration.
        writing: the writer and the labeller.
        requests: rows made by `transforms/text_requests.py`.
        table: name of the output table.
        fingerprint: of the run; written into every row.
        report: receives progress lines.
    """
    spec = open_spec(config, writing, requests.sparkSession)
    settings = settings_for(config, writing)
    texts = write_texts(requests, table, spec, writing.labeller, settings, fingerprint)
    # The report and the table use one pass, because without persist each would call the writer again.
    texts = texts.persist(StorageLevel.DISK_ONLY)
    if writing.labeller is None:
        report("no labeller is registered: texts are checked by word lists alone")
    for line in describe_texts(texts):
        report(line)
    return texts
