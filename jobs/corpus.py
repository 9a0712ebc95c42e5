"""Writes the labelled reviews that a classifier is trained on, as Parquet shards with a manifest.

Reads clean reviews, clusters, splits, gold labels and weak labels. Writes files only.
"""

import sys
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import corpus_labels
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.corpus import labelled_aspects, labelled_reviews
from reviewgen_spark.transforms.corpus_files import SPLITS, write_shards

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _corpus(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Writes the reviews as `<split>/*.parquet` and the manifest last, because a folder without one is not a corpus."""
    section = inputs.resources
    reviews, clusters, splits, gold_labels = (
        inputs.tables[name]
        for name in ("silver_reviews", "silver_review_clusters", "silver_review_splits", "bronze_gold_labels")
    )
    if section.tasks == ("aspect",):
        label = "polarity"
        rows = labelled_aspects(reviews, clusters, splits, gold_labels, inputs.sources)
    else:
        label = "label"
        weak_labels = inputs.tables["silver_weak_labels"]
        rows = labelled_reviews(
            reviews,
            clusters,
            splits,
            gold_labels,
            weak_labels,
            labels=section.labels,
            tasks=section.tasks,
            sources=inputs.sources,
        )
    rows = rows.persist()
    counts: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
    for row in rows.groupBy("split", label).count().collect():
        counts[row["split"]][str(row[label])] = row["count"]
    write_shards(
        inputs.out,
        inputs.fingerprint,
        rows,
        SPLITS,
        labels=section.labels,
        tasks=section.tasks,
        rows_by_split_and_label=counts,
    )
    inputs.report(", ".join(f"{split} {sum(counts[split].values()):,}" for split in SPLITS) + " labelled rows")
    return {}


STAGE = Stage(
    name="corpus",
    version=2,
    scope="table",
    reads=(
        "silver_reviews",
        "silver_review_clusters",
        "silver_review_splits",
        "bronze_gold_labels",
        "silver_weak_labels",
    ),
    writes=(),
    resources=corpus_labels,
    makes_files=True,
    run=_corpus,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
