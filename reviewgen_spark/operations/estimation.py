"""Estimates the time and cost of labelling from a timed sample, for `reviewgen estimate label`.

Labelling takes `load + batches x overhead + tokens x seconds a token / workers`, because the workers run at the same
time. The tokens are estimated from a sample that is stratified by the length of the texts. The seconds a token are
measured on the batches of this sample, and their interval comes from resampling these batches. The estimate leaves out
the start of a session, and reading and writing the rows.
"""

import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.labelling.label import label_reviews
from reviewgen_spark.inference.labelling.timing import time_labelling
from reviewgen_spark.jobs.label import STAGE
from reviewgen_spark.models.evaluation.metrics import Interval
from reviewgen_spark.models.registry.registry import RegisteredModel
from reviewgen_spark.orchestration.artifacts import Artifacts
from reviewgen_spark.orchestration.backlog import Backlog, Force
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.resources.models import label_model
from reviewgen_spark.transforms.tokens import unique_reviews
from reviewgen_spark.warehouse.tables import Warehouse

SEED = 42
_BOOTSTRAP_SAMPLES = 1_000
_MIN_STRATUM_ROWS = 20  # the sample misses a stratum of 20 rows or more once in 10^8 times
# A sample of fewer batches is timed again, because an interval from so few batches means little.
_MIN_BATCHES, _MAX_PASSES = 20, 4


@dataclass(frozen=True)
class TimedBatch:
    """Holds the tokens and seconds of one forward pass, with its share of the overhead of a window."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Timings:
    """Holds the result of the timed sample.

    Attributes:
        load_seconds: Seconds to load the model.
        batches: Timed batches.
        strata: (rows, tokens) by stratum.
    """

    load_seconds: float
    batches: tuple[TimedBatch, ...]
    strata: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class LabellingEstimate:
    """Holds the estimate of labelling; seconds and cost have a 95 % interval."""

    model: str
    rows: int
    batches: int
    tokens: int
    sampled_rows: int
    timed_batches: int
    workers: int
    load_seconds: float
    overhead_seconds: float
    seconds: Interval
    cost_per_hour: float | None

    def lines(self) -> list[str]:
        """Returns the lines that `reviewgen estimate label` prints."""
        lines = [
            f"label with {self.model}, {self.workers} workers at once",
            f"  rows           {self.rows:>14,}   in {self.batches:,} batches",
            f"  tokens         {self.tokens:>14,}   from {self.sampled_rows:,} sampled rows",
            f"  model loading  {self.load_seconds:>12.1f} s   once",
            f"  spark          {self.overhead_seconds:>12.1f} s   each batch, to plan and to commit",
            f"  time           {self.seconds.value:>12.1f} s   95 %: {self.seconds.low:,.1f} to "
            f"{self.seconds.high:,.1f} s, from {self.timed_batches:,} timed batches",
        ]
        if self.cost_per_hour is not None:
            value, low, high = (
                seconds / 3600 * self.cost_per_hour
                for seconds in (self.seconds.value, self.seconds.low, self.seconds.high)
            )
            lines.append(
                f"  cost           {value:>14,.4f}   95 %: {low:,.4f} to {high:,.4f}, at {self.cost_per_hour:g} an hour"
            )
        return lines


@progress_bars()
def estimate_labelling(
    spark: SparkSession,
    config: Config,
    sample_rows: int,
    is_all: bool,
    cost_per_hour: float | None,
    progress: Callable[[str], None],
) -> LabellingEstimate:
    """Estimates the next run of the label stage, without a lease and without writing to the warehouse.

    Args:
        spark: Session of a run.
        config: Configuration of the run.
        sample_rows: Approximate number of rows to time.
        is_all: Whether to label every review, as after a new champion; otherwise only reviews without a label of this
            model.
        cost_per_hour: Cost of all machines together, in any currency.
        progress: Called with a line at each step.

    Raises:
        ConfigError: An argument is out of its range.
        ModelNotFoundError: There is no champion, or its files are damaged.
    """
    if sample_rows < 1 or (cost_per_hour is not None and cost_per_hour < 0):
        raise ConfigError("estimate: --sample must be 1 or more, and --cost-per-hour not negative")
    pinned = label_model(config)
    if pinned.warning:
        progress(pinned.warning)
    model = pinned.model
    label = f"{model.name} version {model.version} ({config.label.precision})"
    warehouse = Warehouse(spark, config)
    workers = min(config.label.partitions or 2**31, spark.sparkContext.defaultParallelism)
    batches = pending_batches(warehouse, config, is_all)
    if not batches:
        return LabellingEstimate(label, 0, 0, 0, 0, 0, workers, 0.0, 0.0, Interval(0.0, 0.0, 0.0), cost_per_hour)
    reviews = reviews_of(warehouse, batches).withColumn("stratum", length_stratum(F.col("text_clean")))
    counts = {row.stratum: int(row["count"]) for row in reviews.groupBy("stratum").count().collect()}
    rows = sum(counts.values())
    progress(f"{rows:,} reviews in {len(batches):,} batches; timing {min(sample_rows, rows):,} of them")
    sample = reviews.sampleBy("stratum", sampling_fractions(counts, sample_rows), SEED).persist()
    advance = add_bar("measurements", 2 + _MAX_PASSES, is_even=False)
    try:
        warm_up = _collect(time_labelling(sample.limit(32 * workers), model, config.label))
        advance(1)
        overhead = measure_overhead(warehouse, config, model, batches[0])
        advance(1)
        timings = [_collect(time_labelling(sample, model, config.label))]
        advance(1)
        while len(timings[0].batches) * len(timings) < _MIN_BATCHES and len(timings) < _MAX_PASSES:
            timings.append(_collect(time_labelling(sample, model, config.label)))
            advance(1)
    finally:
        sample.unpersist()
    timed = [batch for timing in timings for batch in timing.batches]
    tokens = estimate_tokens(counts, timings[0].strata)
    fixed = warm_up.load_seconds + overhead * len(batches)
    return LabellingEstimate(
        model=label,
        rows=rows,
        batches=len(batches),
        tokens=tokens,
        sampled_rows=sum(count for count, _ in timings[0].strata.values()),
        timed_batches=len(timed),
        workers=workers,
        load_seconds=warm_up.load_seconds,
        overhead_seconds=overhead,
        seconds=estimate_seconds(timed, tokens, workers, fixed),
        cost_per_hour=cost_per_hour,
    )


def pending_batches(warehouse: Warehouse, config: Config, is_all: bool) -> list[int]:
    """Returns the batches that `run nightly` would label now; with `is_all` every batch that can be labelled."""
    force = Force(STAGE.name) if is_all else None
    return list(Backlog(config, warehouse, Ledger(warehouse, "estimate"), force).pending(STAGE))


def reviews_of(warehouse: Warehouse, batches: Sequence[int]) -> DataFrame:
    """Returns the unique reviews of batches, as the label stage reads them."""
    within = F.col("batch_id").isin(list(batches))
    reviews, clusters = (warehouse.read(name).where(within) for name in STAGE.reads)
    return unique_reviews(reviews, clusters)


def length_stratum(text: Column) -> Column:
    """Returns the stratum of a text by its number of characters: 0 for no text, else the number of binary digits.

    So one character gives 1, two or three give 2, and four to seven give 3.
    """
    return F.coalesce(F.floor(F.log2(F.nullif(F.length(text), F.lit(0)))) + 1, F.lit(0)).cast("int")


def sampling_fractions(counts: Mapping[int, int], sample_rows: int) -> dict[int, float]:
    """Returns the share of each stratum to draw: the same for all, but at least 20 rows of each on average.

    >>> sampling_fractions({0: 10, 4: 1000}, 101)
    {0: 1.0, 4: 0.1}
    """
    share = sample_rows / max(sum(counts.values()), 1)
    return {stratum: min(1.0, max(share, _MIN_STRATUM_ROWS / count)) for stratum, count in counts.items()}


def estimate_tokens(counts: Mapping[int, int], strata: Mapping[int, tuple[int, int]]) -> int:
    """Estimates the tokens of all rows: for each stratum, its rows times the mean tokens of its sampled rows.

    Args:
        counts: Number of all rows by stratum.
        strata: (rows, tokens) of the sample by stratum; a stratum that was not sampled gets the mean of all rows.

    >>> estimate_tokens({1: 100, 5: 10}, {1: (10, 20), 5: (2, 60)})
    500
    """
    rows, tokens = (sum(values) for values in zip(*strata.values(), strict=True)) if strata else (0, 0)
    overall = tokens / rows if rows else 0.0
    means = {stratum: total / sampled for stratum, (sampled, total) in strata.items() if sampled}
    return round(sum(count * means.get(stratum, overall) for stratum, count in counts.items()))


def estimate_seconds(batches: Sequence[TimedBatch], tokens: int, workers: int, fixed_seconds: float) -> Interval:
    """Estimates the total seconds, with a percentile bootstrap interval (95 %) over the timed batches.

    The batches were timed while all workers were busy, so their seconds include what the workers cost each other.

    Args:
        batches: Timed batches.
        tokens: Number of all tokens.
        workers: Number of workers that run at the same time.
        fixed_seconds: Seconds that do not grow with the tokens.
    """
    if not batches:
        return Interval(fixed_seconds, fixed_seconds, fixed_seconds)
    sizes = np.array([(batch.tokens, batch.seconds) for batch in batches])  # (B, 2)
    drawn = np.random.default_rng(SEED).integers(0, len(sizes), (_BOOTSTRAP_SAMPLES, len(sizes)))
    sums = sizes[drawn].sum(axis=1)  # (samples, 2)
    rates = sums[:, 1] / sums[:, 0]
    rate = sizes[:, 1].sum() / sizes[:, 0].sum()
    low, high = np.percentile(rates, [2.5, 97.5])
    value, low, high = (
        fixed_seconds + float(bound) * tokens / workers for bound in (rate, min(low, rate), max(high, rate))
    )
    return Interval(value, low, high)


def measure_overhead(warehouse: Warehouse, config: Config, model: RegisteredModel, batch: int) -> float:
    """Measures the fixed seconds of a batch by labelling one row and committing it to a scratch warehouse."""
    folder = Artifacts(config.paths.artifacts).staging(f"estimate-{uuid.uuid4().hex}")
    paths = config.paths.model_copy(update={"warehouse": str(folder)})
    scratch = Warehouse(warehouse.spark, config.model_copy(update={"paths": paths}))
    scratch.converge(["gold_review_labels", "ops_stage_runs"])
    ledger = Ledger(scratch, "estimate")
    try:
        started = time.perf_counter()
        ledger.record(STAGE.name, batch, "started", "estimate")
        one_row = reviews_of(warehouse, [batch]).limit(1)
        labels = label_reviews(one_row, model, config.label).withColumn("fingerprint", F.lit("estimate"))
        labels = labels.persist(StorageLevel.DISK_ONLY)  # the runner does so too, to count errors before it writes
        labels.groupBy("error.class").count().collect()
        scratch.replace_batch("gold_review_labels", labels, batch)
        ledger.record(STAGE.name, batch, "succeeded", "estimate")
        labels.unpersist()
        return time.perf_counter() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _collect(windows: DataFrame) -> Timings:
    """Collects the times on the driver: one row per window, without text."""
    load, batches, strata = 0.0, [], dict[int, tuple[int, int]]()
    for window in windows.collect():
        load = max(load, window.load_seconds)  # the workers load at the same time
        total = sum(batch.tokens for batch in window.batches)
        for batch in window.batches:
            overhead = window.rest_seconds * batch.tokens / total
            batches.append(TimedBatch(batch.tokens, batch.seconds + overhead))
        for part in window.strata:
            rows, tokens = strata.get(part.stratum, (0, 0))
            strata[part.stratum] = rows + part.rows, tokens + part.tokens
    return Timings(load, tuple(batches), strata)
