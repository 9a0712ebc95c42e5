"""Every table, declared once: columns with meaning, unit and source, key, constraints, the one stage that writes it.

Tables converge to this file when a run starts, and `docs/data-dictionary.md` is generated from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

STRING, LONG, INTEGER, DOUBLE, TIMESTAMP = (
    StringType(),
    LongType(),
    IntegerType(),
    DoubleType(),
    TimestampType(),
)
STRINGS = ArrayType(STRING, containsNull=False)


@dataclass(frozen=True)
class Table:
    """A Delta table. `stage` is its only writer; `checks` are SQL conditions that hold for every row.

    A check must accept NULL itself (`x IS NULL OR …`) and must not name a text column: Delta prints the values of a
    row that breaks it.
    """

    name: str
    comment: str
    stage: str
    key: tuple[str, ...]
    columns: StructType
    partition_by: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_review_level(self) -> bool:
        """Whether batches of it are replaced whole, one partition each."""
        return self.partition_by == ("batch_id",)


def _column(name: str, kind: DataType, comment: str, nullable: bool = True) -> StructField:
    return StructField(name, kind, nullable, {"comment": comment})


def _columns(*columns: StructField) -> StructType:
    return StructType(list(columns))


RECORD_ID = _column(
    "record_id", STRING, "hash of source, review_id, text_raw, title, rating and created_at; hex", False
)
BATCH_ID = _column("batch_id", LONG, "the batch that brought the record; grows by one", False)
REVIEW_ID = _column("review_id", STRING, "the shop's id of the review, or a hash where the source has none", False)
SOURCE_FILE = _column("source_file", STRING, "file the record came from, relative to the landing folder")
SOURCE_LINE = _column("source_line", LONG, "its record number in that file, from 1")
MODEL_NAME = _column("model_name", STRING, "registered model that predicted", False)
MODEL_VERSION = _column("model_version", LONG, "its version in the registry", False)

_TABLES = (
    Table(
        "bronze_reviews",
        "A source record as it came, typed. Restricted: holds user ids and texts in clear",
        stage="ingest",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            REVIEW_ID,
            _column("product_id", STRING, "the shop's product id", False),
            _column("user_id", STRING, "the shop's user id, in clear; never copied to silver"),
            _column("category", STRING, "product category as the shop names it"),
            _column("rating", INTEGER, "stars, 1 to 5"),
            _column("title", STRING, "headline as typed by the customer"),
            _column("text_raw", STRING, "review as delivered, nothing removed"),
            _column("created_at", TIMESTAMP, "when the review was written, UTC", False),
            _column("updated_at", TIMESTAMP, "when it was last edited, UTC, where the source says"),
            _column("source", STRING, "name of the delivering system (ingest.source)", False),
            SOURCE_FILE,
            SOURCE_LINE,
            _column("extra", MapType(STRING, STRING), "columns that the schema does not know, as JSON values"),
            BATCH_ID,
        ),
        checks={"rating_is_1_to_5": "rating IS NULL OR (rating >= 1 AND rating <= 5)"},
    ),
    Table(
        "bronze_reviews_quarantine",
        "A record or a whole file that ingest refused, with the reasons; never lost. Restricted: raw text",
        stage="ingest",
        key=("feed_code", "source_file", "source_line"),
        partition_by=("batch_id",),
        columns=_columns(
            _column("feed_code", STRING, "what was delivered: reviews or gold_labels", False),
            _column("raw_record", STRING, "the record as delivered; null for a file refused whole"),
            _column("reasons", STRINGS, "why, one code each", False),
            SOURCE_FILE,
            SOURCE_LINE,
            BATCH_ID,
        ),
    ),
    Table(
        "bronze_redeliveries",
        "Where a record that is already in bronze_reviews was delivered again and dropped",
        stage="ingest",
        key=("source_file", "source_line"),
        partition_by=("batch_id",),
        columns=_columns(RECORD_ID, SOURCE_FILE, SOURCE_LINE, BATCH_ID),
    ),
    Table(
        "bronze_gold_labels",
        "A human label of a review; the newest batch wins where a review has several for one task",
        stage="ingest",
        key=("task", "review_id", "source_file", "source_line"),
        partition_by=("batch_id",),
        columns=_columns(
            REVIEW_ID,
            _column("task", STRING, "what was labelled, such as sentiment", False),
            _column("label", STRING, "the label, such as positive or negative", False),
            _column("source", STRING, "who labelled", False),
            SOURCE_FILE,
            SOURCE_LINE,
            BATCH_ID,
        ),
    ),
    Table(
        "silver_reviews",
        "A review with clean, masked text; current or not, copy or not",
        stage="clean",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            REVIEW_ID,
            _column("product_id", STRING, "the shop's product id", False),
            _column("user_key", STRING, "keyed hash of user_id; null for anonymous reviews"),
            _column("category", STRING, "product category as the shop names it"),
            _column("rating", INTEGER, "stars, 1 to 5"),
            _column("title_clean", STRING, "headline, normalised and masked like the text"),
            _column("text_clean", STRING, "review, normalised, personal data masked as [PHONE] and the like"),
            _column("text_hash", STRING, "hash of the text without case, marks and spaces; equal for exact copies"),
            _column("lang_code", STRING, "zh-hans, zh-hant, en, mixed or other; null without text"),
            _column("lang_score", DOUBLE, "share of evidence for lang_code, 0 to 1"),
            _column("pii_counts", MapType(STRING, INTEGER), "masks set in text and title, by type"),
            _column("rule_counts", MapType(STRING, INTEGER), "how often each rule of normalise changed the text"),
            _column(
                "quality_flags", STRINGS, "quality rules of severity warn that it breaks, by name, such as boilerplate"
            ),
            _column("created_at", TIMESTAMP, "when the review was written, UTC", False),
            _column("updated_at", TIMESTAMP, "when it was last edited, UTC, where the source says"),
            SOURCE_FILE,
            SOURCE_LINE,
            BATCH_ID,
        ),
        checks={"lang_score_is_a_share": "lang_score IS NULL OR (lang_score >= 0 AND lang_score <= 1)"},
    ),
    Table(
        "silver_reviews_quarantine",
        "A cleaned review that broke a quality rule of severity error; its text stays in bronze_reviews",
        stage="clean",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            REVIEW_ID,
            _column("product_id", STRING, "the shop's product id", False),
            _column("reasons", STRINGS, "rules of severity error that it breaks, by name", False),
            _column("quality_flags", STRINGS, "rules of severity warn that it breaks, by name", False),
            _column("created_at", TIMESTAMP, "when the review was written, UTC", False),
            SOURCE_FILE,
            SOURCE_LINE,
            BATCH_ID,
        ),
        checks={"has_a_reason": "size(reasons) > 0"},
    ),
    Table(
        "ops_clean_metrics",
        "How many reviews of a batch each quality rule, normalising rule and mask met",
        stage="clean",
        key=("batch_id", "kind_code", "name"),
        partition_by=("batch_id",),
        columns=_columns(
            _column("kind_code", STRING, "error or warning (quality rules), normalise, or mask", False),
            _column("name", STRING, "name of the rule, or type of the mask", False),
            _column("review_count", LONG, "reviews that it met", False),
            _column("hit_count", LONG, "times that it met them; as review_count for quality rules", False),
            _column("row_count", LONG, "reviews of the batch", False),
            BATCH_ID,
        ),
        checks={"kind_is_known": "kind_code IN ('error', 'warning', 'normalise', 'mask')"},
    ),
    Table(
        "silver_review_clusters",
        "The place of a review among its copies. Frozen: later batches never change it",
        stage="dedup",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            REVIEW_ID,
            _column("text_hash", STRING, "as in silver_reviews; what later batches meet"),
            _column("cluster_id", STRING, "record_id of the first-seen record of its exact and near copies", False),
            _column(
                "duplicate_of",
                STRING,
                "cluster_id where this record is a copy from another review, else null",
            ),
            _column("duplicate_kind", STRING, "exact (a text seen before) or near; null where duplicate_of is"),
            _column("created_at", TIMESTAMP, "when the review was written, UTC; with batch_id what first-seen means"),
            _column("is_first_of_text", BooleanType(), "whether no earlier record has this text_hash"),
            _column("near_clusters", STRINGS, "other clusters of earlier batches that it is near; splits may differ"),
            BATCH_ID,
        ),
        checks={"kind_goes_with_duplicate": "(duplicate_of IS NULL) = (duplicate_kind IS NULL)"},
    ),
    Table(
        "silver_minhash_bands",
        "The bands of a text's MinHash signature, for later batches to meet; one row a first-seen text",
        stage="dedup",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            _column("created_at", TIMESTAMP, "when the review was written, UTC", False),
            _column("band_hashes", ArrayType(LONG, containsNull=False), "hash of each band with its index", False),
            BATCH_ID,
        ),
    ),
    Table(
        "silver_review_splits",
        "The split of a review: a hash of its frozen cluster, so that copies never straddle",
        stage="split",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            _column("cluster_id", STRING, "as in silver_review_clusters", False),
            _column("split", STRING, "train, validation, test; none where near copies have different ones", False),
            BATCH_ID,
        ),
        checks={"split_is_known": "split IN ('train', 'validation', 'test', 'none')"},
    ),
    Table(
        "silver_tokens",
        "The words of a unique review",
        stage="tokens",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            _column("tokens", STRINGS, "words and marks in order; empty without text", False),
            _column("content_words", STRINGS, "tokens without marks and stop words; negations stay", False),
            _column("token_count", INTEGER, "number of tokens", False),
            BATCH_ID,
        ),
    ),
    Table(
        "silver_weak_labels",
        "What voters that have seen no gold label say of a unique review, and what a label model makes of it",
        stage="weak_labels",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            _column("votes", MapType(STRING, STRING), "label by voter; a voter that abstains is absent"),
            _column("weak_label", STRING, "positive or negative; null where nobody votes, or the model is not sure"),
            _column("weak_score", DOUBLE, "the model's probability of positive, as -1 negative to 1 positive"),
            _column("majority_label", STRING, "what most voters say, for comparison; null for a tie"),
            BATCH_ID,
        ),
        checks={"weak_score_is_bounded": "weak_score IS NULL OR (weak_score >= -1 AND weak_score <= 1)"},
    ),
    Table(
        "ops_weak_voters",
        "How often each voter of weak_labels spoke, and how often it is right by the label model's estimate",
        stage="weak_labels",
        key=("batch_id", "voter"),
        partition_by=("batch_id",),
        columns=_columns(
            _column("voter", STRING, "lexicon, rating, vader, textblob or snownlp", False),
            _column("row_count", LONG, "unique reviews of the batch", False),
            _column("vote_count", LONG, "of these, that it voted on", False),
            _column("conflict_count", LONG, "of these, where another voter said the opposite", False),
            _column("estimated_accuracy", DOUBLE, "share of its votes that are right, estimated without gold labels"),
            BATCH_ID,
        ),
    ),
    Table(
        "gold_product_keywords",
        "What the unique current reviews of a product are about: its first keywords by each method",
        stage="keywords",
        key=("product_id", "method_code", "place"),
        columns=_columns(
            _column("product_id", STRING, "the shop's product id", False),
            _column("method_code", STRING, "tfidf or textrank", False),
            _column("place", INTEGER, "rank among the product's keywords by this method, from 1", False),
            _column("word", STRING, "content word as in silver_tokens", False),
            _column("score", DOUBLE, "TF-IDF weight, or TextRank share of 1; comparable within a method only", False),
            _column("review_count", LONG, "reviews of the product that hold the word, of those read", False),
        ),
        checks={"method_is_known": "method_code IN ('tfidf', 'textrank')"},
    ),
    Table(
        "gold_review_labels",
        "What the champion model says of a unique review",
        stage="label",
        key=("record_id",),
        partition_by=("batch_id",),
        columns=_columns(
            RECORD_ID,
            _column("sentiment_label", STRING, "positive or negative; null where error is set"),
            _column("sentiment_score", DOUBLE, "calibrated probability of positive, 0 to 1"),
            _column("category_label", STRING, "predicted category; null while the model has no such head"),
            _column(
                "toxicity_score",
                DOUBLE,
                "probability of toxic, 0 to 1; null while the model has no such head",
            ),
            _column(
                "error",
                StructType(
                    [
                        StructField("class", STRING),
                        StructField("message", STRING),
                        StructField("stage", STRING),
                    ]
                ),
                "why there is no label; null where there is one; never holds the text",
            ),
            _column(
                "meta",
                StructType([StructField("is_truncated", BooleanType()), StructField("token_count", INTEGER)]),
                "how the text met the model: cut at max_tokens or not, number of token ids",
            ),
            MODEL_NAME,
            MODEL_VERSION,
            _column("fingerprint", STRING, "of the run that wrote the row, as in ops_stage_runs", False),
            BATCH_ID,
        ),
        checks={
            "sentiment_score_is_a_share": "sentiment_score IS NULL OR (sentiment_score >= 0 AND sentiment_score <= 1)"
        },
    ),
    Table(
        "gold_product_satisfaction",
        "Satisfaction per product, from the labels of its unique current reviews",
        stage="satisfaction",
        key=("product_id",),
        columns=_columns(
            _column("product_id", STRING, "the shop's product id", False),
            _column("category", STRING, "its most frequent category"),
            _column("review_count", LONG, "unique current reviews with a label", False),
            _column("positive_count", LONG, "of these, labelled positive", False),
            _column("satisfaction_pct", DOUBLE, "positive_count in percent of review_count", False),
            _column(
                "satisfaction_score",
                DOUBLE,
                "the same shrunk to the shop's mean by prior_weight reviews, 0 to 1",
                False,
            ),
            _column("rating_mean", DOUBLE, "mean stars, 1 to 5"),
            _column(
                "has_enough_reviews",
                BooleanType(),
                "whether review_count reaches satisfaction.min_reviews",
                False,
            ),
            _column("first_review_date", DateType(), "date of the oldest review counted, UTC"),
            _column("last_review_date", DateType(), "date of the newest review counted, UTC"),
            MODEL_NAME,
            MODEL_VERSION,
        ),
        checks={"satisfaction_is_a_share": "satisfaction_score >= 0 AND satisfaction_score <= 1"},
    ),
    Table(
        "ops_stage_runs",
        "What ran: a row started before a stage's first write, a row succeeded after its last",
        stage="(runner)",
        key=("sequence",),
        columns=_columns(
            _column("sequence", LONG, "order of the rows; the last one of a stage and batch says its state", False),
            _column("run_id", STRING, "the process that ran it", False),
            _column("stage", STRING, "name of the stage", False),
            _column("batch_id", LONG, "the batch; null for a stage over whole tables"),
            _column("state", STRING, "started, succeeded or failed", False),
            _column("fingerprint", STRING, "hash of version, config, models, libraries and inputs", False),
            _column("table_versions", MapType(STRING, LONG), "Delta version of each table read or written"),
            _column("counts", MapType(STRING, LONG), "rows written by table, and what the stage counted"),
            _column("seconds", DOUBLE, "duration in seconds"),
            _column("error_class", STRING, "class of the failure, never its message"),
            _column("at", TIMESTAMP, "when the row was written, UTC", False),
        ),
        checks={"state_is_known": "state IN ('started', 'succeeded', 'failed')"},
    ),
    Table(
        "ops_source_files",
        "What came: each delivered file, the batches that its records are reserved for, and decisions about it",
        stage="(runner)",
        key=("sequence",),
        columns=_columns(
            _column("sequence", LONG, "order of the rows; the last decision about a file wins", False),
            _column("feed_code", STRING, "what it delivers: reviews or gold_labels", False),
            _column("path", STRING, "file, relative to the landing folder", False),
            _column("format_code", STRING, "jsonl, csv, parquet or delta", False),
            _column("size", LONG, "bytes", False),
            _column("modified_at", TIMESTAMP, "modification time of the file, UTC", False),
            _column("sha256", STRING, "hash of its bytes, hex", False),
            _column("row_count", LONG, "records in it, good or bad"),
            _column("bad_row_count", LONG, "of these, malformed"),
            _column("first_row", LONG, "first record of the slice that batch_id takes, from 1"),
            _column("last_row", LONG, "last record of the slice"),
            _column("batch_id", LONG, "the batch that the slice is reserved for"),
            _column(
                "state",
                STRING,
                "reserved, rejected, accepted (take it as it is) or retry (scan it again)",
                False,
            ),
            _column("detail", STRING, "why it was rejected"),
            _column("at", TIMESTAMP, "when the row was written, UTC", False),
        ),
        checks={"state_is_known": "state IN ('reserved', 'rejected', 'accepted', 'retry')"},
    ),
    Table(
        "ops_leases",
        "Who may write: one row, taken by a conditional update",
        stage="(runner)",
        key=("name",),
        columns=_columns(
            _column("name", STRING, "what is leased: warehouse", False),
            _column("owner", STRING, "run_id of the holder; empty when free", False),
            _column("host", STRING, "machine of the holder"),
            _column("pid", LONG, "its process on that machine"),
            _column(
                "pid_started",
                STRING,
                "when that process started, as the kernel says: tells it from a later one",
            ),
            _column("heartbeat_at", TIMESTAMP, "last sign of life, UTC"),
            _column("expires_at", TIMESTAMP, "when another run may take it, UTC", False),
        ),
    ),
    Table(
        "ops_model_evaluations",
        "How models scored, with their baselines on the same split",
        stage="evaluate",
        key=("fingerprint", "model", "split", "slice", "metric"),
        columns=_columns(
            _column("fingerprint", STRING, "of the evaluate run that wrote the row", False),
            _column("model_fingerprint", STRING, "fingerprint of the finetune run that made the model", False),
            _column("model", STRING, "what was scored: model, majority, tfidf_logistic", False),
            _column("labels", STRING, "where the labels come from: gold, rating or weak", False),
            _column("split", STRING, "validation or test", False),
            _column("slice", STRING, "all, or category=…, rating=…, lang=…", False),
            _column("metric", STRING, "accuracy, precision, recall, f1, …; tn, fp, fn, tp are counts", False),
            _column("value", DOUBLE, "the figure"),
            _column("low", DOUBLE, "lower end of its 95 % bootstrap interval"),
            _column("high", DOUBLE, "upper end"),
            _column("row_count", LONG, "rows scored", False),
            _column("evaluated_at", TIMESTAMP, "when, UTC", False),
        ),
    ),
    Table(
        "ops_model_promotions",
        "Which version became champion, or did not, and why",
        stage="register",
        key=("fingerprint",),
        columns=_columns(
            _column(
                "fingerprint",
                STRING,
                "of the register run that decided, or the id of a decision by hand",
                False,
            ),
            MODEL_NAME,
            MODEL_VERSION,
            _column("is_promoted", BooleanType(), "whether it became champion", False),
            _column("previous_version", LONG, "champion before; null where there was none"),
            _column("reason", STRING, "why", False),
            _column("decided_by", STRING, "register for the gate, otherwise the command that was used", False),
            _column("decided_at", TIMESTAMP, "when, UTC", False),
            _column("model_fingerprint", STRING, "as in ops_model_evaluations; null for a decision by hand"),
        ),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}
