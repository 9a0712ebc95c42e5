"""Times the label path on a sample: the seconds of each batch, and of everything else in a window."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from reviewgen_spark.config import LabelSection
from reviewgen_spark.inference.labelling.label import PRELOADED, label_window, ship_labeller
from reviewgen_spark.inference.labelling.metering import Meter
from reviewgen_spark.inference.labelling.windows import gather_windows
from reviewgen_spark.inference.shipping.preload import preloading
from reviewgen_spark.inference.shipping.ship import ModelLike, ShippedModel

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

TIMINGS_SCHEMA = (
    "load_seconds double, rest_seconds double, "
    "batches array<struct<rows: int, tokens: long, seconds: double>>, "
    "strata array<struct<stratum: int, rows: int, tokens: long>>"
)


def time_labelling(reviews: "DataFrame", model: ModelLike, section: LabelSection) -> "DataFrame":
    """Labels reviews as `label_reviews` does, and returns the times instead of the labels: one row a window.

    Reads record_id, batch_id, text_clean and `stratum`, a small number by which rows and tokens are counted. Returns
    `load_seconds` (about 0 in a worker that has the model), the `batches` that the model ran, each with its seconds,
    and `rest_seconds` of the window: tokenising texts, writing labels.

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
    """Labels one window on an executor and returns its times as one row of TIMINGS_SCHEMA."""
    import pyarrow as pa

    started, meter = time.perf_counter(), Meter()
    labels = label_window(window.drop_columns(["stratum"]), shipped, section, name, version, meter)
    seconds = time.perf_counter() - started
    counts: dict[int, tuple[int, int]] = {}
    token_counts = labels.column("meta").field("token_count").to_pylist()
    for stratum, token_count in zip(window.column("stratum").to_pylist(), token_counts, strict=True):
        rows, tokens = counts.get(stratum, (0, 0))
        counts[stratum] = rows + 1, tokens + token_count
    load_seconds = meter.seconds["load"]
    times = {
        "load_seconds": load_seconds,
        "rest_seconds": seconds - load_seconds - sum(batch.seconds for batch in meter.batches),
        "batches": [asdict(batch) for batch in meter.batches],
        "strata": [{"stratum": key, "rows": rows, "tokens": tokens} for key, (rows, tokens) in sorted(counts.items())],
    }
    batch_type = pa.struct([("rows", pa.int32()), ("tokens", pa.int64()), ("seconds", pa.float64())])
    stratum_type = pa.struct([("stratum", pa.int32()), ("rows", pa.int32()), ("tokens", pa.int64())])
    types = [pa.float64(), pa.float64(), pa.list_(batch_type), pa.list_(stratum_type)]
    arrays = [pa.array([value], kind) for value, kind in zip(times.values(), types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(times))
