"""Ours: runs the function of the dedup stage from Parquet to Parquet on two local cores.

With `--history` the rows are a second batch, which is compared with the clusters and bands of an earlier run.
"""

import tempfile
import time
from pathlib import Path

from contest import arguments, print_result
from pyspark.sql import SparkSession

from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.session import start_session
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.dedup import cluster_reviews

HISTORY = ("silver_review_clusters", "silver_minhash_bands")


def work(spark: SparkSession, config, rows: Path, history: tuple[Path, Path] | None, out: Path) -> None:
    reviews = spark.read.parquet(str(rows))
    if history is None:
        earlier = [spark.createDataFrame([], TABLES[name].columns) for name in HISTORY]
        batch_id = 1
    else:
        reviews = reviews.unionByName(spark.read.parquet(str(history[0])))
        earlier = [spark.read.parquet(str(history[1] / name)) for name in HISTORY]
        batch_id = 2
    for name, table in cluster_reviews(reviews, *earlier, config.dedup, batch_id).items():
        table.write.mode("overwrite").parquet(str(out / name))
    spark.catalog.clearCache()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--history", type=Path, nargs=2, help="the rows of the earlier run, and its output folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        config = load_config("local", [f"paths.root={root}", "spark.master=local[2]"])
        spark = start_session(config)
        work(spark, config, options.warm, None, options.out / "warm")
        started = time.monotonic()
        work(spark, config, options.rows, options.history and tuple(options.history), options.out)
        seconds = time.monotonic() - started
        spark.stop()
    print_result(seconds)


if __name__ == "__main__":
    main()
