"""Clean: typed reviews in; the same reviews with normalised, masked text and a keyed hash for the user, out."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import CleanSection
from reviewgen_spark.transforms.arrow import arrow_schema, to_batch

_KEPT = (
    "record_id",
    "review_id",
    "product_id",
    "category",
    "rating",
    "created_at",
    "updated_at",
    "source_file",
    "source_line",
    "batch_id",
)


def clean_reviews(reviews: DataFrame, section: CleanSection, user_key: bytes) -> DataFrame:
    """One Python crossing a row: text and title cleaned and masked, user_id replaced by user_key.

    Rows in = rows out. A text that is null or has nothing left gives null text columns and the flag `empty_text`.

    Args:
        reviews: bronze_reviews of a batch.
        section: What the text engine does.
        user_key: Secret key of the hash that stands for a user; never written anywhere.
    """
    schema: StructType = TABLES["silver_reviews"].columns

    def clean_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.text.clean import Cleaner
        from reviewgen_spark.text.pii import pseudonym

        cleaner = Cleaner(section)
        out = arrow_schema(schema)
        for batch in batches:
            texts = [cleaner.clean(text) for text in batch.column("text_raw").to_pylist()]
            titles = [cleaner.clean(title) for title in batch.column("title").to_pylist()]
            users = batch.column("user_id").to_pylist()
            columns = {name: batch.column(name) for name in _KEPT}
            columns |= {
                "user_key": [user and pseudonym(user, user_key) for user in users],
                "title_clean": [title.text_clean for title in titles],
                "text_clean": [text.text_clean for text in texts],
                "text_hash": [text.text_hash for text in texts],
                "lang_code": [text.lang_code for text in texts],
                "lang_score": [text.lang_score for text in texts],
                "pii_counts": [
                    _sum(text.pii_counts, title.pii_counts) for text, title in zip(texts, titles, strict=True)
                ],
                "rule_counts": [list(text.rule_counts.items()) for text in texts],
                "quality_flags": [_flags(text.text_clean is None, text.is_boilerplate) for text in texts],
            }
            yield to_batch(columns, out)

    wanted = (*_KEPT, "user_id", "title", "text_raw")
    return reviews.select(*wanted).mapInArrow(clean_batches, schema)


def _sum(one: dict[str, int], other: dict[str, int]) -> list[tuple[str, int]]:
    return sorted({name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}.items())


def _flags(is_empty: bool, is_boilerplate: bool) -> list[str]:
    return ["empty_text"] * is_empty + ["boilerplate"] * is_boilerplate
