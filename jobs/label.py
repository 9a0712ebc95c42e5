"""Labels each unique review by the champion model, and writes its embedding if `label.embeddings` is set.

Reads silver_reviews and silver_review_clusters. Writes gold_review_labels, gold_review_embeddings and
ops_label_metrics.
"""

import sys

from pyspark.sql import DataFrame

from reviewgen_spark.config import Config
from reviewgen_spark.inference.labelling.label import label_batch
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.resources.models import champion
from reviewgen_spark.orchestration.stage import Inputs, Stage
from reviewgen_spark.transforms.tokens import unique_reviews


def _label(inputs: Inputs) -> dict[str, DataFrame]:
    reviews = unique_reviews(inputs.tables["silver_reviews"], inputs.tables["silver_review_clusters"])
    return label_batch(reviews, inputs.resources, inputs.config.label, inputs.fingerprint, inputs.report)


def _require(config: Config) -> None:
    if config.label.runtime == "onnx":
        from reviewgen_spark.models.compression.onnx_predictor import require_onnxruntime

        require_onnxruntime()


STAGE = Stage(
    name="label",
    version=3,
    scope="batch",
    reads=("silver_reviews", "silver_review_clusters"),
    writes=("gold_review_labels", "gold_review_embeddings", "ops_label_metrics"),
    sections=("label",),
    libraries=("tokenizers",),
    resources=champion,
    expected_errors=("NullText", "EmptyText"),
    max_error_pct=lambda config: config.label.max_error_pct,
    newest_first=True,
    require=_require,
    run=_label,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
