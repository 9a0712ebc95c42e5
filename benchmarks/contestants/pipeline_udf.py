"""Rival (a): runs `transformers.pipeline` in a pandas UDF as documented: batches of 32, one pipeline for each task."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from contest import arguments, print_result
from delta_to_delta import race, write_delta
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import pandas_udf


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", required=True, help="a model folder")
    options = parser.parse_args()
    folder = options.model

    def work(spark: SparkSession, rows: DataFrame, out: Path) -> None:
        @pandas_udf("label string, score double")
        def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
            from transformers import pipeline

            pipe = pipeline("text-classification", model=folder, batch_size=32, truncation=True, max_length=128)
            for texts in batches:
                yield pd.DataFrame(pipe(texts.tolist()))

        write_delta(rows.select("record_id", classify("text_clean").alias("found")), out)

    print_result(race(options, work)[0])


if __name__ == "__main__":
    main()
