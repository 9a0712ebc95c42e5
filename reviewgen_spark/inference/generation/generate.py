"""Write texts in bulk: `mapInArrow` over requests, each written and checked on a worker, one row a request."""

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
    """The sections that shape generated texts, and where the word lists stand on the driver.

    Attributes:
        generation: writer, decoding, attempts.
        checks: what texts may be like.
        tokens: how words are cut.
        label: how the labeller is run.
        producer: `provenance.content_producer`.
        safety: folder of the lists of checks.
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
    """Write a text for every request: the rows of a table of generated texts, unordered; rows in = rows out.

    A request that cannot be read, that is refused, whose text cannot be written or fails its checks as often as it was
    tried has an `error`; the others are unaffected. Rows are spread by request, and inside a window sorted by length
    and id, so that texts do not depend on scheduling. A writer with limits of its own sees all rows in one task.

    Args:
        requests: REQUEST_COLUMNS.
        table: that the rows are for; its stage stands in errors.
        spec: who writes.
        labeller: a registered model that judges texts; None for none.
        settings: the sections.
        fingerprint: of the run, for the rows.

    Raises:
        ModelNotFoundError: the labeller's files are missing or damaged.
        ConfigError: the labeller is not one of sentiment.
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
        spec: of the writer.
        settings: the sections; their folders of word lists are on this machine.
        predictor: the labeller; None where none is registered.
        first: answers what it is sure of, before the labeller.
    """
    lists = load_lists(settings.safety, settings.dictionaries, settings.tokens)
    judge = judge_with(predictor, settings.generation, settings.label.max_chars, first) if predictor else None
    return TextWorker(spec.open(), spec, lists, settings.checks, judge, settings.generation.max_attempts)


def _open_on_executor(spec: WriterSpec, shipped: ShippedModel | None, settings: GenerationSettings) -> TextWorker:
    from reviewgen_spark.transforms.dictionaries import shipped_dictionaries

    here = replace(
        settings,
        safety=shipped_dictionaries(settings.safety.name),
        dictionaries=shipped_dictionaries(settings.dictionaries.name),
    )
    if shipped is None:
        return open_text_worker(spec, here, None)
    generation, label = settings.generation, settings.label
    predictor = load_predictor(shipped, generation.device, label.precision, generation.threads)
    return open_text_worker(spec, here, predictor, load_first_answers(shipped))


def _write_window(window: "pa.Table", worker: TextWorker, stage: str, producer: str) -> list[dict[str, Any]]:
    """Rows in the order of `sort_key`, and with `batch_id`."""
    given = sorted(window.to_pylist(), key=lambda line: (len(line["request"]), line["request"]))
    rows: list[dict[str, Any]] = []
    requests: list[TextRequest] = []
    batches: list[int] = []
    for line in given:
        try:
            requests.append(TextRequest.from_json(line["request"]))
            batches.append(line["batch_id"])
        except ConfigError as error:
            rows.append(unreadable_row(line, str(error), worker.spec, stage, producer) | {"batch_id": line["batch_id"]})
    for found, batch in zip(worker.write(requests), batches, strict=True):
        rows.append(to_row(found, worker.spec, stage, producer) | {"batch_id": batch})
    return sorted(rows, key=sort_key)


def unreadable_row(line: dict[str, Any], message: str, spec: WriterSpec, stage: str, producer: str) -> dict[str, Any]:
    """The row of a request that breaks its own rules: what is known of it, and why.

    Args:
        line: request, purpose, product_id, record_id and source_record_ids.
        message: why.
        spec: who would have written.
        stage: for `error`.
        producer: `provenance.content_producer`.
    """
    from hashlib import blake2b

    print_ = blake2b(line["request"].encode(), digest_size=16, person=b"unreadable").hexdigest()
    return {
        "text_id": print_,
        "purpose": line["purpose"],
        "product_id": line["product_id"],
        "record_id": line["record_id"],
        "lang_code": "zh",
        "text": None,
        "visible_label": VISIBLE_LABELS["zh"],
        "is_synthetic": True,
        "aigc": aigc_metadata(None, print_, producer).to_json(),
        "model_name": spec.model_name,
        "model_version": spec.model_version,
        "prompt_fingerprint": print_,
        "seed": 0,
        "decoding": decoding_json(spec),
        "source_record_ids": line["source_record_ids"] or [],
        "checks": [],
        "attempt_count": 1,
        "error": {"class": UNREADABLE, "message": message, "stage": stage},
        "meta": None,
    }
