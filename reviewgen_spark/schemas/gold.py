"""Declares the gold tables: labels of reviews, and figures of products."""

from pyspark.sql.types import ArrayType, BooleanType, DateType, FloatType, StructField, StructType

from reviewgen_spark.schemas.columns import (
    BATCH_ID,
    DOUBLE,
    INTEGER,
    LONG,
    MODEL_NAME,
    MODEL_VERSION,
    PRODUCT_ID,
    RECORD_ID,
    STRING,
    STRINGS,
    Table,
    column,
    columns,
)

ERROR = column(
    "error",
    StructType([StructField("class", STRING), StructField("message", STRING), StructField("stage", STRING)]),
    "why the model says nothing; null where it does; never holds the text",
)
META = column(
    "meta",
    StructType([StructField("is_truncated", BooleanType()), StructField("token_count", INTEGER)]),
    "how the text met the model: cut at max_tokens or not, number of token ids",
)
_RANKED = StructType([StructField("word", STRING), StructField("review_count", LONG), StructField("score", DOUBLE)])
FINGERPRINT = column("fingerprint", STRING, "of the run that wrote the row, as in ops_stage_runs", False)

TABLES = (
    Table(
        "gold_product_keywords",
        "What the unique current reviews of a product are about: its first keywords by each method",
        stage="keywords",
        key=("product_id", "method_code", "place"),
        columns=columns(
            PRODUCT_ID,
            column("method_code", STRING, "tfidf or textrank", False),
            column("place", INTEGER, "rank among the product's keywords by this method, from 1", False),
            column("word", STRING, "content word as in silver_tokens", False),
            column("score", DOUBLE, "TF-IDF weight, or TextRank share of 1; comparable within a method only", False),
            column("review_count", LONG, "reviews of the product that hold the word, of those read", False),
        ),
        checks={"method_is_known": "method_code IN ('tfidf', 'textrank')"},
    ),
    Table(
        "gold_product_words",
        "The words of the unique current reviews of a product; gold_product_keywords is computed from them",
        stage="keywords",
        key=("product_id",),
        columns=columns(
            PRODUCT_ID,
            column("size", LONG, "unique current reviews that were read, at most keywords.max_reviews", False),
            column("word", STRINGS, "content words that are in keywords.min_reviews reviews or more, sorted", False),
            column("review_count", ArrayType(LONG), "for each word, the number of reviews with it", False),
            column(
                "least_count", LONG, "review count of the last of the keywords.top most frequent words, or 0", False
            ),
            column("ranked", ArrayType(_RANKED), "first words by TextRank, the best first", False),
            column("reviews_hash", LONG, "hash of these reviews, their words and the settings", False),
        ),
    ),
    Table(
        "gold_review_labels",
        "What the champion model says of a unique review",
        stage="label",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=columns(
            RECORD_ID,
            column("sentiment_label", STRING, "positive or negative; null where error is set"),
            column("sentiment_score", DOUBLE, "calibrated probability of positive, 0 to 1"),
            column("category_label", STRING, "predicted category; null while the model has no such head"),
            column(
                "toxicity_score",
                DOUBLE,
                "probability of toxic, 0 to 1; null while the model has no such head",
            ),
            ERROR,
            META,
            MODEL_NAME,
            MODEL_VERSION,
            FINGERPRINT,
            BATCH_ID,
        ),
        checks={
            "sentiment_score_is_a_share": "sentiment_score IS NULL OR (sentiment_score >= 0 AND sentiment_score <= 1)"
        },
    ),
    Table(
        "gold_review_embeddings",
        "The vector of a unique review by the champion model; no rows where label.embeddings is off",
        stage="label",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=columns(
            RECORD_ID,
            column(
                "embedding",
                ArrayType(FloatType(), containsNull=False),
                "mean of the last layer over the tokens, of length 1; null where error is set",
            ),
            ERROR,
            META,
            MODEL_NAME,
            MODEL_VERSION,
            FINGERPRINT,
            BATCH_ID,
        ),
        checks={"embedding_is_bounded": "embedding IS NULL OR size(embedding) <= 4096"},
    ),
    Table(
        "gold_product_satisfaction",
        "Satisfaction per product, from the labels of its unique current reviews",
        stage="satisfaction",
        key=("product_id",),
        columns=columns(
            PRODUCT_ID,
            column("category", STRING, "its most frequent category"),
            column("review_count", LONG, "unique current reviews with a label", False),
            column("positive_count", LONG, "of these, labelled positive", False),
            column("satisfaction_pct", DOUBLE, "positive_count in percent of review_count", False),
            column(
                "satisfaction_score",
                DOUBLE,
                "the same shrunk to the shop's mean by prior_weight reviews, 0 to 1",
                False,
            ),
            column("rating_mean", DOUBLE, "mean stars, 1 to 5"),
            column(
                "has_enough_reviews",
                BooleanType(),
                "whether review_count reaches satisfaction.min_reviews",
                False,
            ),
            column("first_review_date", DateType(), "date of the oldest review counted, UTC"),
            column("last_review_date", DateType(), "date of the newest review counted, UTC"),
            column(
                "coverage_pct",
                DOUBLE,
                "review_count in percent of the product's labelled reviews, those of other model versions included; "
                "below 100 while a new model's labels replace an old one's",
            ),
            MODEL_NAME,
            MODEL_VERSION,
        ),
        checks={"satisfaction_is_a_share": "satisfaction_score >= 0 AND satisfaction_score <= 1"},
    ),
)
