"""Registers SQL functions on texts, such as `reviewgen_sentiment`, for `reviewgen sql`, `shell` and notebooks.

Each does to a text what the pipeline does, so that a function and the tables agree: the text is cleaned as by `clean`,
then cut as by `tokens`, or labelled as by `label` with one pinned version. They are Arrow functions: a worker gets
batches of texts and loads a dictionary or a model once.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]  # not in pyspark's list of names

from reviewgen_spark.config import CleanSection, Config, LabelSection, TokensSection
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.inference.labelling.label import label_window, ship_labeller
from reviewgen_spark.inference.labelling.metering import Meter
from reviewgen_spark.inference.shipping.ship import ModelLike
from reviewgen_spark.orchestration.resources.models import label_model
from reviewgen_spark.schemas.arrow import in_slices
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.words.tokeniser import Tokeniser
from reviewgen_spark.transforms.dictionaries import driver_dictionaries, ship_dictionaries, shipped_dictionaries

SENTIMENT, TOKENS, MASK = "reviewgen_sentiment", "reviewgen_tokens", "reviewgen_mask"
FUNCTIONS = (SENTIMENT, TOKENS, MASK)
SENTIMENT_TYPE = "label string, score double, error string, model_version long"

_SENTIMENT_FIELDS = [
    pa.field("label", pa.string()),
    pa.field("score", pa.float64()),
    pa.field("error", pa.string()),
    pa.field("model_version", pa.int64()),
]
_TOKENS_SCHEMA = pa.schema([("tokens", pa.list_(pa.string()))])
_TEXT_SCHEMA = pa.schema([("text", pa.string())])
_NAMED = re.compile(rf"\b(?:{'|'.join(FUNCTIONS)})\b", re.IGNORECASE)

Columns = Iterator[pa.Array]


def register_functions(spark: SparkSession, config: Config, version: int | None = None) -> list[str]:
    """Registers all functions in a session, for a notebook, and returns their names.

    - `reviewgen_sentiment(text)`: a struct of `label`, `score` (probability of positive), `error` (why there is no
      label, the class in gold_review_labels.error) and `model_version`.
    - `reviewgen_tokens(text)`: an array of words, as silver_tokens.tokens.
    - `reviewgen_mask(text)`: the text normalised and without personal data, as silver_reviews.text_clean.

    Null in, null out. Without a champion the first one is registered all the same, and its use says what to do.

    Args:
        spark: the session.
        config: how texts are cleaned, cut and labelled, and where the registry is.
        version: of the model `models.name`; default the champion as it stands now. It stays pinned until this is
            called again.

    Raises:
        ModelNotFoundError: the version that was asked for is not there, or a model's files are damaged.
    """
    _register_mask(spark, config.clean)
    _register_tokens(spark, config.clean, config.tokens)
    try:
        register_sentiment(spark, config, version)
    except ModelNotFoundError as error:
        if version is not None:
            raise
        _register(spark, SENTIMENT, SENTIMENT_TYPE, _refusing(str(error)))
    return list(FUNCTIONS)


def register_named(spark: SparkSession, config: Config, source: str) -> list[str]:
    """Registers the functions that a query or a line of Python names, unless they are registered.

    A query without a model does not wait for one. Returns the names of the new functions.

    Raises:
        ModelNotFoundError: `reviewgen_sentiment` is named, and there is no champion.
    """
    named = {found.lower() for found in _NAMED.findall(source)}
    new = [name for name in FUNCTIONS if name in named and not spark.catalog.functionExists(name)]
    if MASK in new:
        _register_mask(spark, config.clean)
    if TOKENS in new:
        _register_tokens(spark, config.clean, config.tokens)
    if SENTIMENT in new:
        register_sentiment(spark, config)
    return new


def register_sentiment(spark: SparkSession, config: Config, version: int | None = None) -> None:
    """Registers `reviewgen_sentiment` with one version of the model, which is broadcast once an application.

    Raises:
        ModelNotFoundError: there is no such version or no champion, or its files are damaged.
    """
    pinned = label_model(config, None if version is None else str(version))
    if pinned.warning:
        print(pinned.warning, file=sys.stderr)
    _register(spark, SENTIMENT, SENTIMENT_TYPE, _labelling(spark, pinned.model, config.clean, config.label))


def _register_tokens(spark: SparkSession, clean: CleanSection, tokens: TokensSection) -> None:
    dictionaries = driver_dictionaries()
    ship_dictionaries(spark, dictionaries)
    _register(spark, TOKENS, "array<string>", _cutting(clean, tokens, dictionaries.name))


def _register_mask(spark: SparkSession, clean: CleanSection) -> None:
    # The function always masks, also if the pipeline is configured not to.
    _register(spark, MASK, "string", _masking(clean.model_copy(update={"mask_pii": True})))


def _register(spark: SparkSession, name: str, type_: str, function: Callable[[Columns], Columns]) -> None:
    # Spark reads the kind of the function, batches in and batches out, from its annotations.
    spark.udf.register(name, arrow_udf(function, type_))


# What runs on a worker: each function holds what it needs, and gets the texts of a task batch by batch.


def _labelling(
    spark: SparkSession, model: ModelLike, clean: CleanSection, label: LabelSection
) -> Callable[[Columns], Columns]:
    shipped, name, version = ship_labeller(spark, model, label), model.name, model.version

    def label_texts(columns: Columns) -> Columns:
        cleaner = Cleaner(clean)
        for texts in columns:
            window = pa.table(
                {
                    "record_id": pa.array([f"{place:09d}" for place in range(len(texts))], pa.string()),
                    "text_clean": pa.array([cleaner.clean(text).text_clean for text in texts.to_pylist()], pa.string()),
                    "batch_id": pa.nulls(len(texts), pa.int64()),
                }
            )
            yield _sentiments(label_window(window, shipped, label, name, version, Meter()), texts.is_null())

    return label_texts


def _sentiments(labels: pa.RecordBatch, is_null: pa.Array) -> pa.StructArray:
    fields = [
        labels.column("sentiment_label"),
        labels.column("sentiment_score"),
        pc.struct_field(labels.column("error"), "class"),  # null where there is no error
        labels.column("model_version"),
    ]
    return pa.StructArray.from_arrays(fields, fields=_SENTIMENT_FIELDS, mask=is_null)


def _refusing(message: str) -> Callable[[Columns], Columns]:
    def refuse(columns: Columns) -> Columns:
        raise ModelNotFoundError(message)

    return refuse


def _cutting(clean: CleanSection, tokens: TokensSection, folder: str) -> Callable[[Columns], Columns]:
    def cut_texts(columns: Columns) -> Columns:
        cleaner, tokeniser = Cleaner(clean), Tokeniser(tokens, shipped_dictionaries(folder))

        def words_of(texts: Iterable[str | None]) -> list[list[str] | None]:
            return [
                None if text is None else tokeniser.words(cleaner.clean(text).text_clean or "").tokens for text in texts
            ]

        for texts in columns:
            yield _in_slices(texts, words_of, _TOKENS_SCHEMA)

    return cut_texts


def _masking(clean: CleanSection) -> Callable[[Columns], Columns]:
    def mask_texts(columns: Columns) -> Columns:
        cleaner = Cleaner(clean)

        def masked(texts: Iterable[str | None]) -> list[str | None]:
            return [cleaner.clean(text).text_clean for text in texts]

        for texts in columns:
            yield _in_slices(texts, masked, _TEXT_SCHEMA)

    return mask_texts


def _in_slices(
    texts: pa.Array, values_of: Callable[[Iterable[str | None]], Iterable[object]], schema: pa.Schema
) -> pa.Array:
    batch = pa.RecordBatch.from_arrays([texts], ["text"])
    [name] = schema.names
    return in_slices(batch, lambda part: {name: values_of(part.column("text").to_pylist())}, schema).column(name)
