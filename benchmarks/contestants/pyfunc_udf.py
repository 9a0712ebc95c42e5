"""Rival (b): runs `mlflow.pyfunc.spark_udf` over the model as this project registers it."""

import os
import tempfile
from pathlib import Path

from contest import arguments, print_result
from delta_to_delta import race, write_delta
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    options = parser.parse_args()
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    with tempfile.TemporaryDirectory() as folder:
        import mlflow.pyfunc

        from reviewgen_spark.models.registry.mlflow_model import save_pyfunc

        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        save_pyfunc(options.model, Path(folder) / "pyfunc")

        def work(spark: SparkSession, rows: DataFrame, out: Path) -> None:
            result = "sentiment_label string, sentiment_score double"
            classify = mlflow.pyfunc.spark_udf(spark, f"{folder}/pyfunc", result_type=result, env_manager="local")
            write_delta(rows.select("record_id", classify(F.struct(F.col("text_clean").alias("text"))).alias("f")), out)

        print_result(race(options, work)[0])


if __name__ == "__main__":
    main()
