"""Finds the exact and near copies of each text, and freezes its cluster.

Reads silver_reviews, and the clusters and MinHash bands of earlier batches. Writes silver_review_clusters and
silver_minhash_bands.
"""

import sys
from collections.abc import Mapping

from pyspark.sql import DataFrame

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.dedup import cluster_reviews


def _dedup(inputs: Inputs) -> Mapping[str, DataFrame]:
    assert inputs.batch_id is not None
    names = ("silver_reviews", "silver_review_clusters", "silver_minhash_bands")
    tables = (inputs.tables[name] for name in names)
    return cluster_reviews(*tables, inputs.config.dedup, inputs.batch_id, inputs.sources)


STAGE = Stage(
    name="dedup",
    version=5,
    scope="batch",
    reads=("silver_reviews",),
    history=("silver_reviews", "silver_review_clusters", "silver_minhash_bands"),
    writes=("silver_review_clusters", "silver_minhash_bands"),
    sections=("dedup",),
    libraries=("numpy",),
    run=_dedup,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
