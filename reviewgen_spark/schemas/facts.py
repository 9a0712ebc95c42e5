"""Declares the tables of facts: counts of one batch, which readers add up over batches (docs/adr/0014)."""

from pyspark.sql.types import ArrayType, DateType

from reviewgen_spark.schemas.columns import (
    BATCH_ID,
    CATEGORY,
    CREATED_AT,
    LONG,
    PRODUCT_ID,
    RATING,
    RECORD_ID,
    STRING,
    Table,
    column,
    columns,
)

_KIND = column("kind_code", STRING, "what is counted; transforms/facts.py and links.py list the kinds", False)
_KEYS = column("keys", ArrayType(STRING), "values of the counted group, in the order of its kind", False)

TABLES = (
    Table(
        "silver_superseded_reviews",
        "A record that is not current, because a newer record of its review exists",
        stage="links",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=columns(
            RECORD_ID,
            column("record_batch_id", LONG, "the batch of the record", False),
            PRODUCT_ID,
            CATEGORY,
            RATING,
            column("lang_code", STRING, "as in silver_reviews"),
            CREATED_AT,
            column("batch_id", LONG, "the first batch up to which it is not current", False),
        ),
    ),
    Table(
        "gold_copy_facts",
        "How a batch changes the sizes of groups of copies, and its copies in two splits; to be added up over batches",
        stage="links",
        key=("batch_id", "kind_code", "keys"),
        partition_by=("batch_id",),
        columns=columns(
            _KIND, _KEYS, column("fact_count", LONG, "groups or pairs; negative for groups that grew", False), BATCH_ID
        ),
    ),
    Table(
        "gold_product_facts",
        "Unique reviews of a batch by product, day and label, edited ones included. Add up the batches, and subtract "
        "silver_superseded_reviews. The day of delivery of a batch is in ops_source_files",
        stage="facts",
        key=(
            "batch_id",
            "product_id",
            "category",
            "lang_code",
            "written_date",
            "rating",
            "sentiment_label",
            "model_name",
            "model_version",
        ),
        partition_by=("batch_id",),
        columns=columns(
            PRODUCT_ID,
            CATEGORY,
            column("lang_code", STRING, "as in silver_reviews"),
            column("written_date", DateType(), "day on which the reviews were written, UTC", False),
            RATING,
            column("sentiment_label", STRING, "as in gold_review_labels; null without a label"),
            column("model_name", STRING, "registered model that predicted; null without a label"),
            column("model_version", LONG, "its version in the registry; null without a label"),
            column("review_count", LONG, "reviews that are no copy", False),
            BATCH_ID,
        ),
        checks={"some_are_counted": "review_count > 0"},
    ),
    Table(
        "gold_shop_facts",
        "Small counts of a batch for the report, edited reviews included; to be added up over batches",
        stage="facts",
        key=("batch_id", "kind_code", "keys"),
        partition_by=("batch_id",),
        columns=columns(_KIND, _KEYS, column("fact_count", LONG, "records, or what the kind counts", False), BATCH_ID),
        checks={"some_are_counted": "fact_count > 0"},
    ),
    Table(
        "gold_word_facts",
        "Reviews of a batch that have a content word, by sentiment; to be added up over batches",
        stage="facts",
        key=("batch_id", "word"),
        partition_by=("batch_id",),
        columns=columns(
            column("word", STRING, "content word as in silver_tokens; no mask and no number", False),
            column("negative_count", LONG, "labelled negative; a review counts once", False),
            column("positive_count", LONG, "labelled positive", False),
            BATCH_ID,
        ),
    ),
)
