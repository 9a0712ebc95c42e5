"""Builds the requests for texts of the stages `reply` and `generate` from the reviews of a batch, as JSON.

A request has the JSON form of `Request` in `text/requests/request.py`. Its row also has the columns that a table needs
if the request is invalid, for example because of an unsupported language. So no row is lost.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.config import GenerateSection, ReplySection

TEXT_REQUEST_COLUMNS = ("request", "purpose", "product_id", "record_id", "source_record_ids", "batch_id")
"""Columns of every row of requests."""
_SOURCE_CHARS = 2_000  # no prompt holds more of a review


def reply_requests(reviews: DataFrame, labels: DataFrame, section: ReplySection, seed: int) -> DataFrame:
    """Builds one request for each review with text that complains, by its label or its stars.

    Args:
        reviews: unique reviews of a batch.
        labels: gold_review_labels of the batch.
        section: the highest number of stars of a complaint, and the length.
        seed: `generation.seed`.
    """
    complains = (F.col("sentiment_label") == "negative") | (F.col("rating") <= section.max_stars)
    complaints = (
        _with_text(reviews)
        .join(labels.select("record_id", "sentiment_label"), on="record_id", how="left")
        .where(F.coalesce(complains, F.lit(False)))
    )
    values = {
        "record_id": F.col("record_id"),
        "category": _non_empty(F.col("category")),
        "sentiment": F.lit("negative"),
        "stars": F.when(F.col("rating") <= 3, F.col("rating")),  # a complaint with four or five stars: the text decides
        "length": F.lit(section.length),
        "sources": F.array(_source()),
    }
    return _requests(complaints, "reply", values, F.col("record_id"), seed)


def augmentation_requests(
    reviews: DataFrame,
    labels: DataFrame,
    splits: DataFrame,
    words: DataFrame,
    section: GenerateSection,
    seed: int,
) -> DataFrame:
    """Builds one request for each sampled review of the training split, with its codes.

    Validation and test reviews are never used, because training texts must not come from them.

    Args:
        reviews: unique reviews of a batch.
        labels: gold_review_labels of the batch: the requested sentiment.
        splits: silver_review_splits of the batch.
        words: silver_tokens of the batch: content words are the keywords.
        section: share of the reviews, and number of keywords.
        seed: `generation.seed`; also decides which reviews are sampled.
    """
    drawn = F.pmod(F.xxhash64("record_id", F.lit(f"augmentation {seed}")), F.lit(10_000))
    sampled = (
        _with_text(reviews)
        .where(drawn < round(100 * section.augmentation_pct))
        .join(splits.where(F.col("split") == "train").select("record_id"), on="record_id", how="left_semi")
        .join(labels.select("record_id", "sentiment_label"), on="record_id", how="inner")
        .where(F.col("sentiment_label").isNotNull())
        .join(words.select("record_id", "content_words"), on="record_id", how="left")
    )
    is_positive = F.col("sentiment_label") == "positive"
    size = F.length("text_clean")
    values = {
        "record_id": F.col("record_id"),
        "category": _non_empty(F.col("category")),
        "sentiment": F.col("sentiment_label"),
        # Stars that contradict the label are left out, because a model learns the label.
        "stars": F.when(F.when(is_positive, F.col("rating") >= 3).otherwise(F.col("rating") <= 3), F.col("rating")),
        "keywords": _words(F.col("content_words"), section.keywords),
        "length": F.when(size <= 30, "short").when(size <= 100, "medium").otherwise("long"),
        "sources": F.array(_source()),
    }
    return _requests(sampled, "augmentation", values, F.col("record_id"), seed)


def copy_requests(
    reviews: DataFrame, labels: DataFrame, words: DataFrame, batch_id: int, section: GenerateSection, seed: int
) -> DataFrame:
    """Builds one request for product copy for each product with a unique review in the batch.

    The sources are its newest positive reviews. The keywords are the words in most of its reviews. The attribute is its
    category. A product with neither category nor positive review gets an invalid request, and its row holds the error.

    Args:
        reviews: unique reviews of this batch and the earlier batches.
        labels: gold_review_labels of the same batches.
        words: silver_tokens of the same batches.
        batch_id: this batch.
        section: numbers of sources and keywords, length.
        seed: `generation.seed`.
    """
    products = reviews.where(F.col("batch_id") == batch_id).select("product_id").distinct()
    known = reviews.join(F.broadcast(products), on="product_id", how="left_semi")
    newest = Window.partitionBy("product_id").orderBy(F.col("created_at").desc(), F.col("record_id"))
    praise = (
        _with_text(known)
        .join(labels.where("sentiment_label = 'positive'").select("record_id"), on="record_id", how="left_semi")
        .withColumn("newest_rank", F.row_number().over(newest))
        .where(F.col("newest_rank") <= section.sources)
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(F.struct("newest_rank", _source().alias("source")))).alias("praise"))
    )
    frequent = Window.partitionBy("product_id").orderBy(F.col("review_count").desc(), F.col("word"))
    keywords = (
        known.select("product_id", "record_id")
        .join(words.select("record_id", "content_words"), on="record_id", how="inner")
        .select("product_id", F.explode(_words(F.col("content_words"))).alias("word"))
        .groupBy("product_id", "word")
        .agg(F.count("*").alias("review_count"))
        .withColumn("frequency_rank", F.row_number().over(frequent))
        .where(F.col("frequency_rank") <= section.keywords)
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(F.struct("frequency_rank", "word"))).alias("keywords"))
    )
    product_rows = (
        known.groupBy("product_id")
        .agg(F.max(_non_empty(F.col("category"))).alias("category"), F.mode("lang_code", True).alias("lang_code"))
        .join(praise, on="product_id", how="left")
        .join(keywords, on="product_id", how="left")
        .withColumn("record_id", F.lit(None).cast("string"))
        .withColumn("batch_id", F.lit(batch_id).cast("long"))
    )
    category = F.struct(F.lit("category").alias("name"), F.col("category").alias("value"))
    values = {
        "category": F.col("category"),
        "keywords": F.transform("keywords", lambda pair: pair["word"]),
        "length": F.lit(section.length),
        "attributes": F.when(F.col("category").isNotNull(), F.array(category)),
        "sources": F.transform("praise", lambda pair: pair["source"]),
    }
    return _requests(product_rows, "product_copy", values, F.col("product_id"), seed)


def _requests(rows: DataFrame, purpose: str, values: Mapping[str, Column], key: Column, seed: int) -> DataFrame:
    """Returns TEXT_REQUEST_COLUMNS. A null value is left out of the JSON, so that its default applies."""
    drawn = F.pmod(F.xxhash64(key, F.lit(f"{purpose} {seed}")), F.lit(2**48))
    parts = {
        "purpose": F.lit(purpose),
        "product_id": F.col("product_id"),
        "lang_code": _language(F.col("lang_code")),
        "seed": drawn,
        **values,
    }
    request = F.struct(*(value.alias(name) for name, value in parts.items()))
    sources = F.transform(F.coalesce(request["sources"], F.array()), lambda source: source["record_id"])
    return rows.select(
        F.to_json(request).alias("request"),
        F.lit(purpose).alias("purpose"),
        "product_id",
        "record_id",
        sources.cast("array<string>").alias("source_record_ids"),
        "batch_id",
    )


def _with_text(reviews: DataFrame) -> DataFrame:
    """Keeps reviews with text, because a review of stars alone can be neither answered nor varied."""
    return reviews.where(F.trim(F.coalesce("text_clean", F.lit(""))) != "")


def _source() -> Column:
    return F.struct(F.col("record_id"), F.substring("text_clean", 1, _SOURCE_CHARS).alias("text"))


def _language(code: Column) -> Column:
    """Returns zh for zh-hans, zh-hant, mixed and null. Other codes stay; a request in an unsupported one is refused."""
    return F.when(code.startswith("zh") | (code == "mixed") | code.isNull(), "zh").otherwise(code)


def _non_empty(value: Column) -> Column:
    """Trims a value; an empty value becomes null."""
    return F.when(F.trim(value) != "", F.trim(value))


def _words(words: Column, most: int | None = None) -> Column:
    """Returns distinct words of two or more characters with a letter, without masks and emoji names in brackets."""
    distinct = F.filter(F.array_distinct(F.transform(words, F.lower)), _is_word)
    return distinct if most is None else F.slice(distinct, 1, most)


def _is_word(word: Column) -> Column:
    return word.rlike(r"\p{L}") & ~word.startswith("[") & (F.length(word) >= 2)
