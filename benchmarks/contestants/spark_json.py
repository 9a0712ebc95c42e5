"""Rival of ingest: `spark.read.json`, the same typing in Column functions, and one Delta table partitioned by batch.

It does less: no hash of the file, no reason for a refused record, no redeliveries, no numbers of anonymous records, no
detected encoding, and all batches in one commit.
"""

import argparse
import json
import time
from pathlib import Path

from pyspark.sql import functions as F

from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.session import start_session

COLUMNS = ("review_id", "product_id", "user_id", "category", "rating", "title", "text", "created_at", "updated_at")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--batch-rows", type=int, required=True)
    parser.add_argument("--master", default="local[2,2]")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    spark = start_session(load_config("local", [f"paths.root={options.root}", f"spark.master={options.master}"]))
    started = time.monotonic()
    delivered = spark.read.schema(", ".join(f"{name} string" for name in COLUMNS)).json(
        str(options.root / "landing" / "reviews")
    )
    rating = F.col("rating").cast("int")
    created = F.to_timestamp("created_at")
    typed = delivered.select(
        F.sha2(F.to_json(F.struct(F.lit("shop"), "review_id", "text", "title", "rating", "created_at")), 256).alias(
            "record_id"
        ),
        "review_id",
        "product_id",
        "user_id",
        "category",
        rating.alias("rating"),
        "title",
        F.col("text").alias("text_raw"),
        created.alias("created_at"),
        F.to_timestamp("updated_at").alias("updated_at"),
        F.lit("shop").alias("source"),
        F.input_file_name().alias("source_file"),
        F.monotonically_increasing_id().alias("source_line"),
        (rating.between(1, 5) & created.isNotNull() & F.col("product_id").isNotNull()).alias("is_good"),
        F.floor(F.substring("review_id", 2, 20).cast("long") / options.batch_rows).alias("batch_id"),
    )
    typed.write.format("delta").mode("overwrite").partitionBy("batch_id").save(str(options.out))
    seconds = time.monotonic() - started
    rows = spark.read.format("delta").load(str(options.out)).count()
    spark.stop()
    print(json.dumps({"seconds": round(seconds, 3), "rows": rows}))


if __name__ == "__main__":
    main()
