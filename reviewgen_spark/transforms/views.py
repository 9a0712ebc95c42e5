"""Defines views that join the tables; `reviewgen sql` and `reviewgen shell` register them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.text.requests.purposes import PUBLISHABLE
from reviewgen_spark.transforms.review_keys import Sources, review_key
from reviewgen_spark.transforms.tokens import unique_reviews

Read = Callable[[str], DataFrame]


def mark_current(reviews: DataFrame, sources: Sources = MappingProxyType({})) -> DataFrame:
    """Adds `is_current`, true for the newest record of each review, by time, then batch, file and line.

    Args:
        reviews: silver_reviews.
        sources: Source of each batch; reviews of two sources are two reviews, also if their review_id is equal.
    """
    newest = Window.partitionBy(*review_key(sources)).orderBy(*newest_first())
    return reviews.withColumn("is_current", F.row_number().over(newest) == 1)


def newest_first() -> tuple[Column, ...]:
    """Returns the order of the records of a review: by time, then batch, file and line, the newest first."""
    written = F.coalesce("updated_at", "created_at")
    return (written.desc(), *(F.col(name).desc() for name in ("batch_id", "source_file", "source_line")))


def current_unique_reviews(
    reviews: DataFrame, clusters: DataFrame, sources: Sources = MappingProxyType({})
) -> DataFrame:
    """Returns clean reviews that are current and not a copy of another review."""
    return unique_reviews(mark_current(reviews, sources).where("is_current").drop("is_current"), clusters)


def publishable_texts(generated: DataFrame, replies: DataFrame, summaries: DataFrame) -> DataFrame:
    """Returns generated texts that may be shown, with the visible label in a separate column.

    Left out: training data, texts that failed their checks, and product copy that a later batch replaced.

    Args:
        generated: gold_generated_texts.
        replies: gold_review_replies.
        summaries: gold_product_summaries.
    """
    newest = Window.partitionBy("product_id", "lang_code").orderBy(F.col("batch_id").desc(), "text_id")
    product_copy = _without_error(generated.where("purpose = 'product_copy'"))
    copies = product_copy.withColumn("newest_rank", F.row_number().over(newest)).where("newest_rank = 1")
    parts = [part.select(*TEXT_COLUMNS) for part in (copies, _without_error(replies), _without_error(summaries))]
    texts = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return texts.where(F.col("purpose").isin(sorted(PUBLISHABLE)))


def published_texts(generated: DataFrame, replies: DataFrame, summaries: DataFrame) -> DataFrame:
    """Returns the texts of `publishable_texts`, each with its visible label in front."""
    gap = F.when(F.col("lang_code") == "zh", "").otherwise(" ")
    texts = publishable_texts(generated, replies, summaries)
    return texts.withColumn("text", F.concat("visible_label", gap, "text"))


def training_texts(generated: DataFrame) -> DataFrame:
    """Returns generated texts that models may be trained on, and that are never shown."""
    return _without_error(generated.where("purpose = 'augmentation'")).select(*TEXT_COLUMNS)


def _without_error(texts: DataFrame) -> DataFrame:
    return texts.where("error IS NULL AND text IS NOT NULL")


TEXT_COLUMNS = (
    "text_id",
    "purpose",
    "product_id",
    "record_id",
    "lang_code",
    "text",
    "visible_label",
    "aigc",
    "model_name",
    "model_version",
    "source_record_ids",
)

VIEWS: Mapping[str, Callable[[Read, Sources], DataFrame]] = {
    "silver_unique_reviews": lambda read, sources: current_unique_reviews(
        read("silver_reviews"), read("silver_review_clusters"), sources
    ),
    "gold_labelled_reviews": lambda read, sources: current_unique_reviews(
        read("silver_reviews"), read("silver_review_clusters"), sources
    ).join(read("gold_review_labels").drop("batch_id"), on="record_id", how="inner"),
    "gold_published_texts": lambda read, _: published_texts(
        read("gold_generated_texts"), read("gold_review_replies"), read("gold_product_summaries")
    ),
}
