"""Label: the champion model says what each unique review feels."""

import sys

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.assets import champion
from reviewgen_spark.inference.label import label_reviews
from reviewgen_spark.job import run_job
from reviewgen_spark.stage import Inputs, Stage
from reviewgen_spark.transforms.tokens import unique_reviews


def _label(inputs: Inputs) -> dict[str, DataFrame]:
    reviews = unique_reviews(inputs.tables["silver_reviews"], inputs.tables["silver_review_clusters"])
    labels = label_reviews(reviews, inputs.assets, inputs.config.label)
    return {"gold_review_labels": labels.withColumn("fingerprint", F.lit(inputs.fingerprint))}


STAGE = Stage(
    name="label",
    version=2,
    scope="batch",
    reads=("silver_reviews", "silver_review_clusters"),
    writes=("gold_review_labels",),
    sections=("label",),
    libraries=("tokenizers",),
    assets=champion,
    expected_errors=("NullText", "EmptyText"),
    max_error_pct=lambda config: config.label.max_error_pct,
    newest_first=True,
    run=_label,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
