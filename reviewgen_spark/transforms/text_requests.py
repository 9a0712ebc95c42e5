"""Which texts are asked for: the reviews of a batch in, the requests of `reply` and `generate` out, as JSON.

A request is one line of `text/requests/request.py`. Its row also has what a table needs if the
request breaks its own rules, such as a review in an unsupported language. So no row is lost.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.config import GenerateSection, ReplySection

ASKED = ("request", "purpose", "product_id", "record_id", "source_record_ids", "batch_id")
_SOURCE_CHARS = 2_000  # no prompt holds more of a review


def reply_requests(reviews: DataFrame, labels: DataFrame, section: ReplySection, seed: int) -> DataFrame:
    """One request for each review with a text that complains: by its label, or by its stars. Columns ASKED.

    Args:
        reviews: unique reviews of a batch.
        labels: gold_review_labels of the batch.
        section: stars that complain, length.
        seed: `generation.seed`.
    """
    complains = (F.col("sentiment_label") == "negative") | (F.col("rating") <= section.max_stars)
    found = (
        _with_text(reviews)
        .join(labels.select("record_id", "sentiment_label"), on="record_id", how="left")
        .where(F.coalesce(complains, F.lit(False)))
    )
    values = {
        "record_id": F.col("record_id"),
        "category": _named(F.col("category")),
        "sentiment": F.lit("negative"),
        "stars": F.when(F.col("rating") <= 3, F.col("rating")),  # five stars and a complaint: the text counts
        "length": F.lit(section.length),
        "sources": F.array(_source()),
    }
    return _ask(found, "reply", values, F.col("record_id"), seed)


def augmentation_requests(
    reviews: DataFrame,
    labels: DataFrame,
    splits: DataFrame,
    words: DataFrame,
    section: GenerateSection,
    seed: int,
) -> DataFrame:
    """One request for each sampled review of the training split, with the codes of that review. Columns ASKED.

    Validation and test reviews are never asked for: what is learnt from must not stem from them.

    Args:
        reviews: unique reviews of a batch.
        labels: gold_review_labels of the batch: the sentiment that is asked for.
        splits: silver_review_splits of the batch.
        words: silver_tokens of the batch: content words are the keywords.
        section: share and number of keywords.
        seed: `generation.seed`; also decides who is sampled.
    """
    drawn = F.pmod(F.xxhash64("record_id", F.lit(f"augmentation {seed}")), F.lit(10_000))
    found = (
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
        "category": _named(F.col("category")),
        "sentiment": F.col("sentiment_label"),
        # A label and stars that contradict each other make no request; the label is what is learnt.
        "stars": F.when(F.when(is_positive, F.col("rating") >= 3).otherwise(F.col("rating") <= 3), F.col("rating")),
        "keywords": _words(F.col("content_words"), section.keywords),
        "length": F.when(size <= 30, "short").when(size <= 100, "medium").otherwise("long"),
        "sources": F.array(_source()),
    }
    return _ask(found, "augmentation", values, F.col("record_id"), seed)


def copy_requests(
    reviews: DataFrame, labels: DataFrame, words: DataFrame, batch_id: int, section: GenerateSection, seed: int
) -> DataFrame:
    """One request for each product with a unique review in the batch: copy from its reviews so far. Columns ASKED.

    Sources are the newest reviews that praise it, keywords the words that most of its reviews hold, and the attribute
    is its category; a product with neither category nor praise gets a request that its row then says is none.

    Args:
        reviews: unique reviews of this batch and the batches before.
        labels: gold_review_labels of the same.
        words: silver_tokens of the same.
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
        .withColumn("place", F.row_number().over(newest))
        .where(F.col("place") <= section.sources)
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(F.struct("place", _source().alias("source")))).alias("praise"))
    )
    frequent = Window.partitionBy("product_id").orderBy(F.col("review_count").desc(), F.col("word"))
    spoken = (
        known.select("product_id", "record_id")
        .join(words.select("record_id", "content_words"), on="record_id", how="inner")
        .select("product_id", F.explode(_words(F.col("content_words"))).alias("word"))
        .groupBy("product_id", "word")
        .agg(F.count("*").alias("review_count"))
        .withColumn("place", F.row_number().over(frequent))
        .where(F.col("place") <= section.keywords)
        .groupBy("product_id")
        .agg(F.sort_array(F.collect_list(F.struct("place", "word"))).alias("spoken"))
    )
    found = (
        known.groupBy("product_id")
        .agg(F.max(_named(F.col("category"))).alias("category"), F.mode("lang_code", True).alias("lang_code"))
        .join(praise, on="product_id", how="left")
        .join(spoken, on="product_id", how="left")
        .withColumn("record_id", F.lit(None).cast("string"))
        .withColumn("batch_id", F.lit(batch_id).cast("long"))
    )
    category = F.struct(F.lit("category").alias("name"), F.col("category").alias("value"))
    values = {
        "category": F.col("category"),
        "keywords": F.transform("spoken", lambda pair: pair["word"]),
        "length": F.lit(section.length),
        "attributes": F.when(F.col("category").isNotNull(), F.array(category)),
        "sources": F.transform("praise", lambda pair: pair["source"]),
    }
    return _ask(found, "product_copy", values, F.col("product_id"), seed)


def _ask(rows: DataFrame, purpose: str, values: Mapping[str, Column], key: Column, seed: int) -> DataFrame:
    """ASKED: what is null is left out of the JSON, and has its default."""
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
    """A review of stars alone can be answered or varied by nobody."""
    return reviews.where(F.trim(F.coalesce("text_clean", F.lit(""))) != "")


def _source() -> Column:
    return F.struct(F.col("record_id"), F.substring("text_clean", 1, _SOURCE_CHARS).alias("text"))


def _language(code: Column) -> Column:
    """zh-hans, zh-hant and mixed are written in Chinese; what is neither Chinese nor English stays, and is refused."""
    return F.when(code.startswith("zh") | (code == "mixed") | code.isNull(), "zh").otherwise(code)


def _named(value: Column) -> Column:
    return F.when(F.trim(value) != "", F.trim(value))


def _words(words: Column, most: int | None = None) -> Column:
    """Distinct words of two characters at least, one a letter; no masks or names of emoji, which stand in brackets."""
    kept = F.filter(F.array_distinct(F.transform(words, F.lower)), _is_word)
    return kept if most is None else F.slice(kept, 1, most)


def _is_word(word: Column) -> Column:
    return word.rlike(r"\p{L}") & ~word.startswith("[") & (F.length(word) >= 2)
