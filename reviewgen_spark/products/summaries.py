"""Summaries: the reviews of a product in; one row that says what customers say of it, with its provenance, out."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.sections import SummariseSection, TokensSection
from reviewgen_spark.text.aspects import OpinionReader
from reviewgen_spark.text.provenance import VISIBLE_LABELS, aigc_metadata
from reviewgen_spark.text.requests import Request, Source, prompt_fingerprint, text_id
from reviewgen_spark.text.summary import METHOD_VERSION, Review, Summary, main_language, summarise
from reviewgen_spark.transforms.arrow import arrow_schema, to_batch
from reviewgen_spark.transforms.dictionaries import ship_dictionaries, shipped_dictionaries

MODEL_NAME = "extractive"
PROMPT_VERSION = f"{MODEL_NAME}-{METHOD_VERSION}"


def summaries_by_product(
    reviews: DataFrame,
    keywords: DataFrame,
    section: SummariseSection,
    tokens: TokensSection,
    dictionaries: Path,
    producer: str,
    fingerprint: str,
) -> DataFrame:
    """One row of gold_product_summaries for each product that has a review.

    Of a product with more than `section.max_reviews` reviews those with the lowest hash are read, the same ones each
    night, and no more than these ever meet in a worker. A product without a text, or without one in Chinese or English,
    has a row with `error`.

    Args:
        reviews: product_id, record_id, text_clean and lang_code of unique current reviews.
        keywords: gold_product_keywords.
        section: Bounds.
        tokens: How words are cut.
        dictionaries: Folder on the driver; shipped to the executors.
        producer: `provenance.content_producer`.
        fingerprint: Of the run, for the rows.
    """
    ship_dictionaries(reviews.sparkSession, dictionaries)
    folder = dictionaries.name
    settings = json.dumps(section.result_part(), sort_keys=True)
    out = arrow_schema(TABLES["gold_product_summaries"].columns)

    def write(product: pa.Table) -> pa.Table:
        columns = {name: product.column(name).to_pylist() for name in product.column_names}
        found = [
            Review(*fields)
            for fields in zip(columns["record_id"], columns["text_clean"], columns["lang_code"], strict=True)
        ]
        reader = _reader(tokens, str(shipped_dictionaries(folder)))
        total, words = columns["text_count"][0], columns["keywords"][0] or []
        summary = summarise(found, total, reader, section, words)
        row = _row(columns["product_id"][0], found, summary, producer)
        row |= {"decoding": settings, "fingerprint": fingerprint}
        return pa.Table.from_batches([to_batch({name: [value] for name, value in row.items()}, out)])

    return (
        _sample(reviews, section.max_reviews)
        .join(_ranked_words(keywords), on="product_id", how="left")
        .groupBy("product_id")
        .applyInArrow(write, TABLES["gold_product_summaries"].columns)
    )


def _sample(reviews: DataFrame, max_reviews: int) -> DataFrame:
    """At most so many reviews of a product, those with a text first; adds `text_count`, how many have one."""
    text = F.coalesce("text_clean", F.lit(""))
    product = Window.partitionBy("product_id")
    lowest = product.orderBy(F.col("text_clean") == "", F.xxhash64("record_id"), "record_id")
    return (
        reviews.select("product_id", "record_id", "lang_code", F.trim(text).alias("text_clean"))
        .withColumn("text_count", F.count_if(F.col("text_clean") != "").over(product))
        .withColumn("place", F.row_number().over(lowest))
        .where(F.col("place") <= max_reviews)
        .drop("place")
    )


def _ranked_words(keywords: DataFrame) -> DataFrame:
    """product_id and its keywords by TF-IDF, where that was computed, the best first."""
    ranked = F.sort_array(F.collect_list(F.struct("place", "word")))
    return (
        keywords.where(F.col("method_code") == "tfidf")
        .groupBy("product_id")
        .agg(F.transform(ranked, lambda pair: pair["word"]).alias("keywords"))
    )


@lru_cache(maxsize=1)
def _reader(tokens: TokensSection, dictionaries: str) -> OpinionReader:
    """Loaded once a worker, not once a product."""
    return OpinionReader(tokens, Path(dictionaries))


def _row(product_id: str, reviews: Sequence[Review], summary: Summary | None, producer: str) -> dict[str, Any]:
    language = summary.language if summary else main_language(review.language for review in reviews) or "zh"
    sources = tuple(Source(review.record_id, review.text) for review in sorted(reviews))
    request = Request("summary", product_id, language, sources=sources)
    id_ = text_id(request, PROMPT_VERSION, MODEL_NAME, METHOD_VERSION)
    text = summary.text if summary else None
    return {
        "text_id": id_,
        "purpose": request.purpose,
        "product_id": product_id,
        "record_id": None,
        "lang_code": language,
        "text": text,
        "visible_label": VISIBLE_LABELS[language],
        "is_synthetic": True,
        "aigc": aigc_metadata(text, id_, producer).to_json(),
        "model_name": MODEL_NAME,
        "model_version": METHOD_VERSION,
        "prompt_fingerprint": prompt_fingerprint(request, PROMPT_VERSION),
        "seed": request.seed,
        "source_record_ids": list(summary.source_record_ids) if summary else [],
        "checks": [],
        "attempt_count": 1,
        "error": None if summary else _error(reviews),
        "meta": None,
        "claims": [_claim(claim) for claim in summary.claims] if summary else [],
    }


def _claim(claim: Any) -> dict[str, Any]:
    names = ("kind", "text", "aspect", "positive_count", "mention_count")
    return {name: getattr(claim, name) for name in names} | {"source_record_ids": list(claim.source_record_ids)}


def _error(reviews: Sequence[Review]) -> dict[str, str]:
    if not any(review.text for review in reviews):
        name, message = "EmptyText", "no review of the product has a text"
    elif main_language(review.language for review in reviews if review.text) is None:
        name, message = "UnsupportedLanguage", "no review of the product is in Chinese or English"
    else:
        name, message = "NothingToSay", "no sentence can be quoted alone, and no aspect is named often enough"
    return {"class": name, "message": message, "stage": "summarise"}
