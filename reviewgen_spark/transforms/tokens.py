"""Cuts clean texts into words."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import TokensSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import ArrowRows, arrow_schema, in_slices
from reviewgen_spark.transforms.dictionaries import ship_dictionaries, shipped_dictionaries


def tokenise_reviews(reviews: DataFrame, clusters: DataFrame, section: TokensSection, dictionaries: Path) -> ArrowRows:
    """Cuts the unique reviews of a batch into words; a review without text has none.

    Args:
        reviews: silver_reviews of a batch.
        clusters: silver_review_clusters of the batch; duplicates are left out.
        section: Engine, user dictionary, stop words.
        dictionaries: Folder on the driver; shipped to the executors.
    """
    return cut_reviews(unique_reviews(reviews, clusters), section, dictionaries)


def cut_reviews(reviews: DataFrame, section: TokensSection, dictionaries: Path) -> ArrowRows:
    """Returns the rows of silver_tokens for reviews of any kind; record_id, text_clean and batch_id are read."""
    ship_dictionaries(reviews.sparkSession, dictionaries)
    folder = dictionaries.name
    texts = reviews.select("record_id", "text_clean", "batch_id")
    columns = TABLES["silver_tokens"].columns
    return ArrowRows(texts, lambda batches: cut_batches(batches, section, folder), columns)


def cut_batches(batches: Iterable[pa.RecordBatch], section: TokensSection, folder: str) -> Iterator[pa.RecordBatch]:
    """Cuts Arrow batches as `cut_reviews` does, on a worker to which `folder` was shipped."""
    from reviewgen_spark.text.words.tokeniser import Tokeniser

    tokeniser = Tokeniser(section, shipped_dictionaries(folder))
    out = arrow_schema(TABLES["silver_tokens"].columns)

    def columns_of(batch: pa.RecordBatch) -> dict[str, Any]:
        words = [tokeniser.words(text or "") for text in batch.column("text_clean").to_pylist()]
        tokens, content_words = zip(*words, strict=True) if words else ((), ())
        return {
            "record_id": batch.column("record_id"),
            "tokens": tokens,
            "content_words": content_words,
            "token_count": list(map(len, tokens)),
            "batch_id": batch.column("batch_id"),
        }

    for batch in batches:
        yield in_slices(batch, columns_of, out)


def unique_reviews(reviews: DataFrame, clusters: DataFrame) -> DataFrame:
    """Keeps the reviews that are not a copy of another review; edits are kept. Adds no column."""
    canonical = clusters.where(F.col("duplicate_of").isNull()).select("record_id")
    return reviews.join(canonical, on="record_id", how="left_semi")
