"""Declares the tables of generated texts, replies and summaries. They are never added to a table of reviews."""

from collections.abc import Mapping

from pyspark.sql.types import ArrayType, BooleanType, StructField, StructType

from reviewgen_spark.schemas.columns import (
    BATCH_ID,
    DOUBLE,
    INTEGER,
    LONG,
    MODEL_VERSION,
    PRODUCT_ID,
    STRING,
    STRINGS,
    Table,
    column,
    columns,
)
from reviewgen_spark.schemas.gold import ERROR, FINGERPRINT

# Fields inside an array are nullable, because Delta refuses NOT NULL there.
CHECKS = column(
    "checks",
    ArrayType(
        StructType(
            [
                StructField("name", STRING),
                StructField("score", DOUBLE),
                StructField("is_passed", BooleanType()),
                StructField("reason", STRING),
            ]
        ),
        containsNull=False,
    ),
    "what each check of text/checks found: score 0 (clean) to 1, passed or not, and why; never holds the text",
    False,
)
META = column(
    "meta",
    StructType(
        [
            StructField("is_truncated", BooleanType()),
            StructField("prompt_token_count", INTEGER),
            StructField("token_count", INTEGER),
        ]
    ),
    "whether the prompt was cut or the text ended at its limit; token ids read and written; null where no model wrote",
)
CLAIMS = column(
    "claims",
    ArrayType(
        StructType(
            [
                StructField("kind", STRING),
                StructField("text", STRING),
                StructField("aspect", STRING),
                StructField("positive_count", LONG),
                StructField("mention_count", LONG),
                StructField("source_record_ids", ArrayType(STRING)),
            ]
        ),
        containsNull=False,
    ),
    "what the summary claims: its kind and words, the aspect, how many of the mentions are positive, and the reviews "
    "that say so",
    False,
)


def _generated(*added: StructField) -> StructType:
    """Returns the columns of every table of generated texts, followed by the added ones."""
    return columns(
        column("text_id", STRING, "hash of the request, its seed and the model; hex", False),
        column("purpose", STRING, "what the text was made for, of text/requests/purposes.py", False),
        PRODUCT_ID,
        column("record_id", STRING, "of the review that is answered or varied; null for texts about a product"),
        column("lang_code", STRING, "zh or en", False),
        column("text", STRING, "without its visible label; null where nothing could be written"),
        column("visible_label", STRING, "what must stand before the text wherever it is shown", False),
        column("is_synthetic", BooleanType(), "always true: a machine wrote it", False),
        column("aigc", STRING, "metadata by GB 45438-2025 as JSON: an object AIGC of seven fields", False),
        column("model_name", STRING, "registered model, endpoint model or built-in writer that wrote it", False),
        MODEL_VERSION,
        column(
            "prompt_fingerprint", STRING, "hash of the request without its seed, and of the prompt's wording", False
        ),
        column("seed", LONG, "of the random numbers of the attempt that is kept", False),
        column("decoding", STRING, "settings of decoding as JSON; {} where nothing is drawn at random", False),
        column("source_record_ids", STRINGS, "reviews that the text rests on, all of them", False),
        CHECKS,
        column("attempt_count", INTEGER, "how often it was asked for, from 1", False),
        ERROR,
        META,
        FINGERPRINT,
        *added,
    )


def _conditions(*purposes: str) -> Mapping[str, str]:
    """Returns the checks of generated texts. A field that is missing from the JSON is NULL and fails its check."""
    fields = (
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    )
    allowed = ", ".join(f"'{purpose}'" for purpose in purposes)
    has_fields = " AND ".join(f"get_json_object(aigc, '$.AIGC.{name}') IS NOT NULL" for name in fields)
    return {
        "purpose_is_allowed": f"purpose IN ({allowed})",
        "lang_code_is_known": "lang_code IN ('zh', 'en')",
        "is_marked_synthetic": "is_synthetic",
        "has_a_visible_label": "visible_label LIKE '%AI%'",
        "aigc_says_generated": "get_json_object(aigc, '$.AIGC.Label') = '1'",
        "aigc_has_its_fields": has_fields,
        "aigc_is_of_this_text": "get_json_object(aigc, '$.AIGC.ProduceID') = text_id",
        "was_asked_for": "attempt_count >= 1",
    }


TABLES = (
    Table(
        "gold_generated_texts",
        "A text made for training (augmentation) or for a product (product_copy), or the error that took its place",
        stage="generate",
        key=("text_id", "batch_id"),
        partition_by=("batch_id",),
        columns=_generated(BATCH_ID),
        checks=_conditions("augmentation", "product_copy"),
    ),
    Table(
        "gold_review_replies",
        "An answer of the shop to a review, or the error that took its place",
        stage="reply",
        key=("text_id", "batch_id"),
        partition_by=("batch_id",),
        columns=_generated(BATCH_ID),
        checks=_conditions("reply"),
    ),
    Table(
        "gold_product_summaries",
        "What the unique current reviews of a product say, or the error that took its place",
        stage="summarise",
        key=("product_id", "lang_code"),
        columns=_generated(CLAIMS),
        checks=_conditions("summary"),
    ),
)
