"""The label path with a watch in it: what a worker's windows and batches take, apart from loading the model."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reviewgen_spark.config import LabelSection
from reviewgen_spark.inference.labelling.batching import score_window
from reviewgen_spark.inference.labelling.label import PRELOADED, ship_labeller, to_arrow
from reviewgen_spark.inference.labelling.windows import gather_windows
from reviewgen_spark.inference.shipping.gpu_lock import gpu_lock
from reviewgen_spark.inference.shipping.preload import preloading
from reviewgen_spark.inference.shipping.ship import ModelLike, ShippedModel
from reviewgen_spark.inference.shipping.worker import load_first_answers, load_predictor

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from reviewgen_spark.inference.labelling.batching import Score

TIMINGS_SCHEMA = (
    "load_seconds double, rest_seconds double, "
    "batches array<struct<rows: int, tokens: long, seconds: double>>, "
    "strata array<struct<stratum: int, rows: int, tokens: long>>"
)


def time_labelling(reviews: "DataFrame", model: ModelLike, section: LabelSection) -> "DataFrame":
    """Label reviews as `label_reviews` does, and give the times instead of the labels: one row a window.

    Reads record_id, batch_id, text_clean and `stratum`, any small number to count rows and tokens by. Gives
    `load_seconds` (about 0 in a worker that has the model), the `batches` that the model ran, each with its seconds,
    and `rest_seconds` of the window: cutting texts into tokens, writing labels.

    Raises:
        ModelNotFoundError: the model's files are missing or damaged.
    """
    spark = reviews.sparkSession
    shipped = ship_labeller(spark, model, section)
    partitions = section.partitions or spark.sparkContext.defaultParallelism
    name, version = model.name, model.version

    def time_partition(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        for window in gather_windows(batches, section.window_rows):
            yield time_window(window, shipped, section, name, version)

    spread = reviews.select("record_id", "batch_id", "text_clean", "stratum").repartition(partitions, "record_id")
    with preloading(spark, PRELOADED):
        return spread.mapInArrow(time_partition, TIMINGS_SCHEMA)


def time_window(
    window: "pa.Table", shipped: ShippedModel, section: LabelSection, name: str, version: int
) -> "pa.RecordBatch":
    """Do on an executor what `label_window` does, with a watch."""
    import pyarrow as pa

    started = time.perf_counter()
    predictor = load_predictor(shipped, section.device, section.precision, section.threads, section.compile)
    first = load_first_answers(shipped)
    loaded = time.perf_counter()
    predict = predictor.probabilities_and_embeddings if section.embeddings else predictor.all_probabilities
    batches: list[dict[str, float]] = []

    def score(rows: list[list[int]]) -> "list[Score]":
        begun = time.perf_counter()  # before the GPU is free: a night waits for it too
        with gpu_lock(predictor.device):
            scores = list(predict(rows))
        seconds = time.perf_counter() - begun
        batches.append({"rows": len(rows), "tokens": sum(map(len, rows)), "seconds": seconds})
        return scores

    results = score_window(
        texts=window.column("text_clean").to_pylist(),
        record_ids=window.column("record_id").to_pylist(),
        encode=predictor.tokenizer.encode,
        score=score,
        answer=first.answers if first else None,
        max_chars=section.max_chars,
        tokens_per_batch=section.tokens_per_batch,
    )
    to_arrow(window, results, predictor.settings, name, version)
    rest = time.perf_counter() - loaded - sum(batch["seconds"] for batch in batches)
    counts: dict[int, tuple[int, int]] = {}
    for stratum, result in zip(window.column("stratum").to_pylist(), results, strict=True):
        rows, tokens = counts.get(stratum, (0, 0))
        counts[stratum] = rows + 1, tokens + result.token_count
    strata = [{"stratum": key, "rows": rows, "tokens": tokens} for key, (rows, tokens) in sorted(counts.items())]
    batch_type = pa.struct([("rows", pa.int32()), ("tokens", pa.int64()), ("seconds", pa.float64())])
    stratum_type = pa.struct([("stratum", pa.int32()), ("rows", pa.int32()), ("tokens", pa.int64())])
    columns = {
        "load_seconds": pa.array([loaded - started], pa.float64()),
        "rest_seconds": pa.array([rest], pa.float64()),
        "batches": pa.array([batches], pa.list_(batch_type)),
        "strata": pa.array([strata], pa.list_(stratum_type)),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
