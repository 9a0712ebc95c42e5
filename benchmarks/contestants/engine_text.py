"""Ours: the clean stage's and the tokens stage's own functions, Parquet in, Parquet out, on two local cores.

Lines: `clean_tokens` (normalise, cut), `full` (also mask, language, traditional to simplified), `clean` (full without
cutting). Where the time goes: `read`, `arrow` (every row to Python and back, untouched), `python` (full without the
write), each measured up to where it ends.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.session import start_session
from reviewgen_spark.transforms.clean import clean_reviews
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.tokens import cut_reviews

LINES = ("clean_tokens", "full", "clean", "read", "arrow", "python")
PLAIN = {"mask_pii": False, "simplify_chinese": False}


def work(spark: SparkSession, config: Config, source: Path, line: str) -> DataFrame:
    rows = spark.read.parquet(str(source))
    if line == "read":
        return rows
    if line == "arrow":
        return rows.mapInArrow(lambda batches: batches, rows.schema)
    section = config.clean.model_copy(update=PLAIN if line == "clean_tokens" else {})
    cleaned = clean_reviews(rows, section, b"benchmark")
    return cleaned if line == "clean" else cut_reviews(cleaned, config.tokens, driver_dictionaries())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--warm", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--line", choices=LINES, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        config = load_config("local", [f"paths.root={root}", "spark.master=local[2]"])
        spark = start_session(config)
        for source in (options.warm, options.rows):
            started = time.monotonic()
            rows = work(spark, config, source, options.line)
            if options.line in ("read", "arrow", "python"):
                rows.write.format("noop").mode("overwrite").save()
            else:
                rows.write.mode("overwrite").parquet(str(options.out))
            seconds = time.monotonic() - started
        spark.stop()
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
