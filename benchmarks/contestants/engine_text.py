"""Ours: runs the functions of the clean and tokens stages in one pass, from Parquet to Parquet on two local cores.

The lines are `clean_tokens` (normalise, tokenise), `full` (also mask, language, traditional to simplified) and `clean`
(full without tokens). Files are written as the stages write them: words by the workers, everything else by Spark.
`spark` is full with all files by Spark, `workers` with all files by the workers. For the breakdown of the time: `read`,
`arrow` (every row to Python and back, unchanged), `python` (full without the write), each measured from the start to
its end.
"""

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from contest import arguments, print_result
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.orchestration.session import start_session
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.transforms.clean import CLEANED, clean_batches, clean_reviews
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, ship_dictionaries
from reviewgen_spark.transforms.tokens import cut_batches
from reviewgen_spark.warehouse.worker_files import FILES, write_file

LINES = ("clean_tokens", "full", "clean", "spark", "workers", "read", "arrow", "python")
KEY = b"a key for the benchmark"
BOTH = StructType([*CLEANED.fields, *TABLES["silver_tokens"].columns.fields[1:4]])
PLAIN = {"mask_pii": False, "simplify_chinese": False}


def work(spark: SparkSession, config: Config, source: Path, line: str, out: Path) -> DataFrame:
    rows = spark.read.parquet(str(source))
    if line == "read":
        return rows
    if line == "arrow":
        return rows.mapInArrow(lambda batches: batches, rows.schema)
    section = config.clean.model_copy(update=PLAIN if line == "clean_tokens" else {})
    if line == "clean":
        return clean_reviews(rows, section, KEY)
    ship_dictionaries(spark, driver_dictionaries())
    cut, folder = config.tokens, driver_dictionaries().name

    def clean_and_cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        cleaned, cleaned_queue = tee_batches(clean_batches(batches, section, KEY))
        for words in cut_batches(cleaned, cut, folder):
            yield pa.RecordBatch.from_arrays(
                [*cleaned_queue.popleft().columns, *words.columns[1:4]], schema=arrow_schema(BOTH)
            )

    def clean_and_write_words(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        cleaned, cleaned_queue = tee_batches(clean_batches(batches, section, KEY))
        words = cut_batches(cleaned, cut, folder)
        for _ in write_file(words, arrow_schema(TABLES["silver_tokens"].columns), out, 1, 0o600):
            yield from cleaned_queue

    def write_both(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from write_file(clean_and_cut(batches), arrow_schema(BOTH), out, 1, 0o600)

    if line == "workers":
        return rows.mapInArrow(write_both, FILES)
    if line in ("python", "spark"):
        return rows.mapInArrow(clean_and_cut, BOTH)
    return rows.mapInArrow(clean_and_write_words, CLEANED)


def tee_batches(batches: Iterable[pa.RecordBatch]) -> tuple[Iterator[pa.RecordBatch], deque[pa.RecordBatch]]:
    """Returns the batches, and a queue of those that were consumed."""
    passed: deque[pa.RecordBatch] = deque()

    def pass_on() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            passed.append(batch)
            yield batch

    return pass_on(), passed


def main() -> None:
    options = arguments(__doc__, LINES).parse_args()
    with tempfile.TemporaryDirectory() as root:
        config = load_config("local", [f"paths.root={root}", "spark.master=local[2]"])
        spark = start_session(config)
        for source in (options.warm, options.rows):
            started = time.monotonic()
            words = options.out / f"words-{source.name}"
            shutil.rmtree(words, ignore_errors=True)
            words.mkdir(parents=True)
            rows = work(spark, config, source, options.line, words)
            if options.line in ("read", "arrow", "python", "workers"):
                rows.write.format("noop").mode("overwrite").save()
            else:
                rows.write.mode("overwrite").parquet(str(options.out / "rows"))
            seconds = time.monotonic() - started
        spark.stop()
    print_result(seconds)


if __name__ == "__main__":
    main()
