"""Registers SQL functions on texts, such as `reviewgen_sentiment`, for `reviewgen sql`, `shell` and notebooks.

Each function processes a text as the pipeline does, so its values equal those of the tables. The text is cleaned as by
`clean`. Then it is cut into words as by `tokens`, or labelled as by `label` with one pinned version. They are Arrow
functions: a worker gets batches of texts and loads a dictionary or a model once.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]  # not in pyspark's list of names

from reviewgen_spark.config import CleanSection, Config, LabelSection, TokensSection
from reviewgen_spark.config.messages import print_message
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
_FUNCTION_NAME = re.compile(rf"\b(?:{'|'.join(FUNCTIONS)})\b", re.IGNORECASE)

Columns = Iterator[pa.Array]


def register_functions(spark: SparkSession, config: Config, version: int | None = None) -> list[str]:
    """Registers all functions in a session, for a notebook, and returns their names.

    - `reviewgen_sentiment(text)`: a struct of `label`, `score` (probability of positive), `error` (why there is no
      label, the class in gold_review_labels.error) and `model_version`.
    - `reviewgen_tokens(text)`: an array of words, as silver_tokens.tokens.
    - `reviewgen_mask(text)`: the text normalised and without personal data, as silver_reviews.text_clean.

    Null gives null. Without a champion, `reviewgen_sentiment` is registered too. Its use then raises an error that
    contains the next step.

    Args:
        spark: the session.
        config: how texts are cleaned, cut into words and labelled, and where the registry is.
        version: version of the model `models.name`; default: the current champion. It is pinned until the next call.

    Raises:
        ModelNotFoundError: there is no such version, or the files of a model are damaged.
    """
    _register_mask(spark, config.clean)
    _register_tokens(spark, config.clean, config.tokens)
    try:
        register_sentiment(spark, config, version)
    except ModelNotFoundError as error:
        if version is not None:
            raise
        _register(spark, SENTIMENT, SENTIMENT_TYPE, _error_function(str(error)))
    return list(FUNCTIONS)


def register_named(spark: SparkSession, config: Config, source: str) -> list[str]:
    """Registers the functions whose names occur in a query or a line of Python, unless they are registered.

    A query without `reviewgen_sentiment` does not wait for a model. Returns the names of the new functions.

    Raises:
        ModelNotFoundError: the source contains `reviewgen_sentiment`, and there is no champion.
    """
    named = {name.lower() for name in _FUNCTION_NAME.findall(source)}
    new = [name for name in FUNCTIONS if name in named and not spark.catalog.functionExists(name)]
    if MASK in new:
        _register_mask(spark, config.clean)
    if TOKENS in new:
        _register_tokens(spark, config.clean, config.tokens)
    if SENTIMENT in new:
        register_sentiment(spark, config)
    return new


def register_sentiment(spark: SparkSession, config: Config, version: int | None = None) -> None:
    """Registers `reviewgen_sentiment` with one version of the model, which is broadcast once per application.

    Raises:
        ModelNotFoundError: there is no such version or no champion, or its files are damaged.
    """
    pinned = label_model(config, None if version is None else str(version))
    if pinned.warning:
        print_message(pinned.warning)
    _register(spark, SENTIMENT, SENTIMENT_TYPE, _sentiment_function(spark, pinned.model, config.clean, config.label))


def _register_tokens(spark: SparkSession, clean: CleanSection, tokens: TokensSection) -> None:
    dictionaries = driver_dictionaries()
    ship_dictionaries(spark, dictionaries)
    _register(spark, TOKENS, "array<string>", _tokens_function(clean, tokens, dictionaries.name))


def _register_mask(spark: SparkSession, clean: CleanSection) -> None:
    # The function always masks, also if the pipeline is configured not to.
    _register(spark, MASK, "string", _mask_function(clean.model_copy(update={"mask_pii": True})))


def _register(spark: SparkSession, name: str, type_: str, function: Callable[[Columns], Columns]) -> None:
    # Spark reads the kind of the function, batches in and batches out, from its annotations.
    spark.udf.register(name, arrow_udf(function, type_))


# These functions return functions that run on a worker. Each gets the texts of a task, batch by batch.


def _sentiment_function(
    spark: SparkSession, model: ModelLike, clean: CleanSection, label: LabelSection
) -> Callable[[Columns], Columns]:
    shipped, name, version = ship_labeller(spark, model, label), model.name, model.version

    def label_texts(columns: Columns) -> Columns:
        cleaner = Cleaner(clean)
        for texts in columns:
            window = pa.table(
                {
                    "record_id": pa.array([f"{index:09d}" for index in range(len(texts))], pa.string()),
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


def _error_function(message: str) -> Callable[[Columns], Columns]:
    def raise_error(columns: Columns) -> Columns:
        raise ModelNotFoundError(message)

    return raise_error


def _tokens_function(clean: CleanSection, tokens: TokensSection, folder: str) -> Callable[[Columns], Columns]:
    def cut_texts(columns: Columns) -> Columns:
        cleaner, tokeniser = Cleaner(clean), Tokeniser(tokens, shipped_dictionaries(folder))

        def words_of(texts: Iterable[str | None]) -> list[list[str] | None]:
            return [
                None if text is None else tokeniser.words(cleaner.clean(text).text_clean or "").tokens for text in texts
            ]

        for texts in columns:
            yield _in_slices(texts, words_of, _TOKENS_SCHEMA)

    return cut_texts


def _mask_function(clean: CleanSection) -> Callable[[Columns], Columns]:
    def mask_texts(columns: Columns) -> Columns:
        cleaner = Cleaner(clean)

        def mask_all(texts: Iterable[str | None]) -> list[str | None]:
            return [cleaner.clean(text).text_clean for text in texts]

        for texts in columns:
            yield _in_slices(texts, mask_all, _TEXT_SCHEMA)

    return mask_texts


def _in_slices(
    texts: pa.Array, values_of: Callable[[Iterable[str | None]], Iterable[object]], schema: pa.Schema
) -> pa.Array:
    batch = pa.RecordBatch.from_arrays([texts], ["text"])
    [name] = schema.names
    return in_slices(batch, lambda part: {name: values_of(part.column("text").to_pylist())}, schema).column(name)
