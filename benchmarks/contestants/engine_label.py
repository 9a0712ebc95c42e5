"""Ours: runs the function of the label stage with the options of the configuration section `label`."""

from pathlib import Path
from types import SimpleNamespace

from contest import arguments, print_result
from delta_to_delta import race, write_delta
from pyspark.sql import DataFrame, Row, SparkSession

from reviewgen_spark.config import LabelSection
from reviewgen_spark.inference.labelling.label import label_batch
from reviewgen_spark.models.classifier.model_folder import folder_sha256


def main() -> None:
    parser = arguments(__doc__, ("float32", "bfloat16", "int8"))
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--tokens-per-batch", type=int, default=2048)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    folder = options.model
    model = SimpleNamespace(
        name="b3", version=1, sha256=folder_sha256(folder), path=folder, uri=folder.resolve().as_uri()
    )
    section = LabelSection(precision=options.line, device=options.device, tokens_per_batch=options.tokens_per_batch)

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> Row:
        tables = label_batch(rows, model, section, "b3", lambda line: None)
        write_delta(tables["gold_review_labels"], out)
        return tables["ops_label_metrics"].collect()[0]

    seconds, metrics = race(options, work, options.master)
    print_result(seconds, **{name: round(value, 3) for name, value in metrics.asDict().items() if name != "batch_id"})


if __name__ == "__main__":
    main()
