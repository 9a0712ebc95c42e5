"""Writes texts in bulk with `mapInArrow`. A worker writes and checks the text of each request: one row a request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.config import ChecksSection, GenerationSection, LabelSection, TokensSection
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.inference.generation.attempts import (
    UNREADABLE,
    TextWorker,
    judge_with,
    load_lists,
    sort_key,
    to_row,
)
from reviewgen_spark.inference.generation.writers import WriterSpec, decoding_json
from reviewgen_spark.inference.labelling.label import ship_labeller
from reviewgen_spark.inference.labelling.windows import OUTPUT_BYTES, cut_by_bytes, gather_windows
from reviewgen_spark.inference.shipping.ship import ModelLike, ShippedModel
from reviewgen_spark.inference.shipping.worker import load_first_answers, load_predictor
from reviewgen_spark.text.requests.provenance import VISIBLE_LABELS, aigc_metadata
from reviewgen_spark.text.requests.request import TextRequest

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier

REQUEST_COLUMNS = (
    "request string, purpose string, product_id string, record_id string, "
    "source_record_ids array<string>, batch_id long"
)


@dataclass(frozen=True)
class GenerationSettings:
    """Holds the sections that shape generated texts, and the folders of the word lists on the driver.

    Attributes:
        generation: writer, decoding, attempts.
        checks: limits of the checks.
        tokens: how texts are cut into words.
        label: how the labeller runs.
        producer: `provenance.content_producer`.
        safety: folder of the word lists of the checks.
        dictionaries: folder of word lists.
    """

    generation: GenerationSection
    checks: ChecksSection
    tokens: TokensSection
    label: LabelSection
    producer: str
    safety: Path
    dictionaries: Path


def write_texts(
    requests: "DataFrame",
    table: str,
    spec: WriterSpec,
    labeller: ModelLike | None,
    settings: GenerationSettings,
    fingerprint: str,
) -> "DataFrame":
    """Writes a text for every request: the rows of a table of generated texts, unordered; rows in = rows out.

    A row has an `error` if its request cannot be read, is refused, or gets no text. It also has one if its text fails
    the checks in every attempt. Other rows are unaffected. Rows are partitioned by request. Inside a window they are
    sorted by length and id. So texts do not depend on scheduling. A writer with limits of its own gets all rows in one
    task.

    Args:
        requests: REQUEST_COLUMNS.
        table: name of the output table; errors name its stage.
        spec: describes the writer.
        labeller: a registered model that labels the texts for the checks, or None.
        settings: the sections.
        fingerprint: of the run; written into every row.

    Raises:
        ModelNotFoundError: the labeller's files are missing or damaged.
        ConfigError: the labeller is not a sentiment model.
    """
    from reviewgen_spark.schemas import TABLES
    from reviewgen_spark.schemas.arrow import arrow_schema, to_batch
    from reviewgen_spark.transforms.dictionaries import ship_dictionaries

    spark = requests.sparkSession
    for folder in (settings.dictionaries, settings.safety):
        ship_dictionaries(spark, folder)
    shipped = None
    if labeller is not None:
        shipped = ship_labeller(spark, labeller, settings.label)
    generation, stage = settings.generation, TABLES[table].stage
    columns = TABLES[table].columns
    out = arrow_schema(columns)
    partitions = 1 if spec.is_alone else generation.partitions or spark.sparkContext.defaultParallelism

    def write_partition(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        worker: TextWorker | None = None
        for window in gather_windows(batches, generation.window_rows):
            worker = worker or _open_on_executor(spec, shipped, settings)  # a task without rows loads nothing
            rows = _write_window(window, worker, stage, settings.producer)
            filled = {name: [row.get(name) for row in rows] for name in out.names}
            filled["fingerprint"] = [fingerprint] * len(rows)
            yield from cut_by_bytes(to_batch(filled, out), OUTPUT_BYTES)

    return requests.repartition(partitions, "request").mapInArrow(write_partition, columns)


def open_text_worker(
    spec: WriterSpec,
    settings: GenerationSettings,
    predictor: "Predictor | None",
    first: "NgramClassifier | None" = None,
) -> TextWorker:
    """Opens the writer and the checks of one process.

    Args:
        spec: describes the writer.
        settings: the sections; their folders of word lists are on this machine.
        predictor: the labeller; None where none is registered.
        first: labels the texts that it is sure of, before the labeller runs.
    """
    lists = load_lists(settings.safety, settings.dictionaries, settings.tokens)
    judge = judge_with(predictor, settings.generation, settings.label.max_chars, first) if predictor else None
    return TextWorker(spec.open(), spec, lists, settings.checks, judge, settings.generation.max_attempts)


def _open_on_executor(spec: WriterSpec, shipped: ShippedModel | None, settings: GenerationSettings) -> TextWorker:
    from reviewgen_spark.transforms.dictionaries import shipped_dictionaries

    local_settings = replace(
        settings,
        safety=shipped_dictionaries(settings.safety.name),
        dictionaries=shipped_dictionaries(settings.dictionaries.name),
    )
    if shipped is None:
        return open_text_worker(spec, local_settings, None)
    generation, label = settings.generation, settings.label
    predictor = load_predictor(shipped, generation.device, label.precision, generation.threads)
    return open_text_worker(spec, local_settings, predictor, load_first_answers(shipped))


def _write_window(window: "pa.Table", worker: TextWorker, stage: str, producer: str) -> list[dict[str, Any]]:
    """Returns the rows with `batch_id`, in the order of `sort_key`."""
    lines = sorted(window.to_pylist(), key=lambda line: (len(line["request"]), line["request"]))
    rows: list[dict[str, Any]] = []
    requests: list[TextRequest] = []
    batch_ids: list[int] = []
    for line in lines:
        try:
            requests.append(TextRequest.from_json(line["request"]))
            batch_ids.append(line["batch_id"])
        except ConfigError as error:
            rows.append(unreadable_row(line, str(error), worker.spec, stage, producer) | {"batch_id": line["batch_id"]})
    for result, batch_id in zip(worker.write(requests), batch_ids, strict=True):
        rows.append(to_row(result, worker.spec, stage, producer) | {"batch_id": batch_id})
    return sorted(rows, key=sort_key)


def unreadable_row(line: dict[str, Any], message: str, spec: WriterSpec, stage: str, producer: str) -> dict[str, Any]:
    """Returns the row of a request that cannot be read: its known columns, and the reason as `error`.

    Args:
        line: request, purpose, product_id, record_id and source_record_ids.
        message: the reason.
        spec: describes the writer of the run.
        stage: written into `error`.
        producer: `provenance.content_producer`.
    """
    from hashlib import blake2b

    digest = blake2b(line["request"].encode(), digest_size=16, person=b"unreadable").hexdigest()
    return {
        "text_id": digest,
        "purpose": line["purpose"],
        "product_id": line["product_id"],
        "record_id": line["record_id"],
        "lang_code": "zh",
        "text": None,
        "visible_label": VISIBLE_LABELS["zh"],
        "is_synthetic": True,
        "aigc": aigc_metadata(None, digest, producer).to_json(),
        "model_name": spec.model_name,
        "model_version": spec.model_version,
        "prompt_fingerprint": digest,
        "seed": 0,
        "decoding": decoding_json(spec),
        "source_record_ids": line["source_record_ids"] or [],
        "checks": [],
        "attempt_count": 1,
        "error": {"class": UNREADABLE, "message": message, "stage": stage},
        "meta": None,
    }
