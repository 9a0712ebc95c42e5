"""Writes the requests of one batch and reports the results."""

from typing import TYPE_CHECKING

from pyspark import StorageLevel

from reviewgen_spark.inference.generation.diversity import describe_texts
from reviewgen_spark.inference.generation.generate import write_texts
from reviewgen_spark.inference.generation.setup import Writing, open_spec, settings_for
from reviewgen_spark.orchestration.stage import Inputs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def write_batch(inputs: Inputs, requests: "DataFrame", table: str) -> "DataFrame":
    """Write the requests of a stage's batch, once each, and report what came of them.

    Args:
        inputs: of the stage; its resources are what `writing` found.
        requests: see `transforms/text_requests.py`.
        table: that the rows are for.
    """
    found: Writing = inputs.resources
    spec = open_spec(inputs.config, found, requests.sparkSession)
    settings = settings_for(inputs.config, found)
    texts = write_texts(requests, table, spec, found.labeller, settings, inputs.fingerprint)
    # What is reported and what is written are one pass: without persist each would ask the writer again.
    texts = texts.persist(StorageLevel.DISK_ONLY)
    if found.labeller is None:
        inputs.report("no labeller is registered: texts are checked by word lists alone")
    for line in describe_texts(texts):
        inputs.report(line)
    return texts
