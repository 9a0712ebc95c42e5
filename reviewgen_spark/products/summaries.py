"""Summarises the reviews of each product: one row with the summary, its sources and its checks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from reviewgen_spark.config import ChecksSection, Config, SummariseSection, TokensSection
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema, to_batch
from reviewgen_spark.text.checks.checks import (
    CheckLists,
    LabellerPrediction,
    TextCheck,
    check_harm,
    check_leakage,
    check_personal_data,
    check_text,
    failed,
)
from reviewgen_spark.text.requests.prompt_injection import is_injection
from reviewgen_spark.text.requests.provenance import VISIBLE_LABELS, aigc_metadata
from reviewgen_spark.text.requests.request import Source, TextRequest, length_of, prompt_fingerprint, text_id
from reviewgen_spark.text.summaries.sentences import ReviewText, main_language
from reviewgen_spark.text.summaries.summary import METHOD_VERSION, Claim, Summary, summarise
from reviewgen_spark.transforms.dictionaries import ship_dictionaries, shipped_dictionaries

MODEL_NAME = "extractive"
PROMPT_VERSION = f"{MODEL_NAME}-{METHOD_VERSION}"


def summaries_by_product(
    reviews: DataFrame, keywords: DataFrame, config: Config, lists: tuple[Path, Path], fingerprint: str
) -> DataFrame:
    """Returns one row of gold_product_summaries for each product that has a review.

    If a product has more than `summarise.max_reviews` reviews, those with the lowest hash are read, the same ones each
    night. A worker never gets more of them. A row has an `error` if its product has no text, or none in Chinese or
    English. It also has one if there is nothing to say, or if the summary fails its checks.

    Args:
        reviews: product_id, record_id, text_clean and lang_code of unique current reviews.
        keywords: gold_product_keywords.
        config: The sections summarise, tokens, checks and provenance are read.
        lists: Folders of dictionaries and of safety lists on the driver; shipped to the executors.
        fingerprint: Of the run; written into every row.
    """
    for folder in lists:
        ship_dictionaries(reviews.sparkSession, folder)
    words, safety = (folder.name for folder in lists)
    section, tokens, limits, provenance = config.summarise, config.tokens, config.checks, config.provenance
    out = arrow_schema(TABLES["gold_product_summaries"].columns)

    def write(product: pa.Table) -> pa.Table:
        columns = {name: product.column(name).to_pylist() for name in product.column_names}
        rows = zip(columns["record_id"], columns["text_clean"], columns["lang_code"], strict=True)
        writer = _writer(tokens, section, limits, shipped_dictionaries(words), shipped_dictionaries(safety))
        row = writer.write(
            columns["product_id"][0],
            [ReviewText(*row) for row in rows],
            columns["text_count"][0],
            columns["keywords"][0],
        )
        text, text_id_ = row["text"], row["text_id"]
        row["aigc"] = aigc_metadata(text, text_id_, provenance.content_producer).to_json()
        row["fingerprint"] = fingerprint
        return pa.Table.from_batches([to_batch({name: [value] for name, value in row.items()}, out)])

    return (
        _sample(reviews, section.max_reviews)
        .join(_ranked_words(keywords), on="product_id", how="left")
        .groupBy("product_id")
        .applyInArrow(write, TABLES["gold_product_summaries"].columns)
    )


def _sample(reviews: DataFrame, max_reviews: int) -> DataFrame:
    """Returns at most `max_reviews` reviews of a product, those with a text first.

    Adds `text_count`, the number of all its reviews with a text.
    """
    text = F.coalesce("text_clean", F.lit(""))
    product = Window.partitionBy("product_id")
    by_hash = product.orderBy(F.col("text_clean") == "", F.xxhash64("record_id"), "record_id")
    return (
        reviews.select("product_id", "record_id", "lang_code", F.trim(text).alias("text_clean"))
        .withColumn("text_count", F.count_if(F.col("text_clean") != "").over(product))
        .withColumn("rank", F.row_number().over(by_hash))
        .where(F.col("rank") <= max_reviews)
        .drop("rank")
    )


def _ranked_words(keywords: DataFrame) -> DataFrame:
    """Returns product_id and its keywords by TF-IDF, the best first; no rows if TF-IDF was not computed."""
    ranked = F.sort_array(F.collect_list(F.struct("place", "word")))
    return (
        keywords.where(F.col("method_code") == "tfidf")
        .groupBy("product_id")
        .agg(F.transform(ranked, lambda pair: pair["word"]).alias("keywords"))
    )


@lru_cache(maxsize=1)
def _writer(
    tokens: TokensSection, section: SummariseSection, limits: ChecksSection, words: Path, safety: Path
) -> "_Writer":
    """Loads the writer once a worker, not once a product."""
    return _Writer(section, limits, CheckLists.load(safety, words, tokens))


@dataclass(frozen=True)
class _Writer:
    """Writes the row of a product without the columns that depend on the shop and the run."""

    section: SummariseSection
    limits: ChecksSection
    lists: CheckLists

    def write(
        self, product_id: str, reviews: Sequence[ReviewText], review_count: int, keywords: Sequence[str] | None
    ) -> dict[str, Any]:
        # A review that looks like an instruction is neither quoted nor counted, as with every other writer.
        flagged = frozenset(review.record_id for review in reviews if is_injection(review.text))
        all_reviews, reviews = reviews, [review for review in reviews if review.record_id not in flagged]
        review_count -= len(flagged)
        language = main_language(review.language for review in reviews if review.text) or "zh"
        sources = tuple(Source(review.record_id, review.text) for review in sorted(reviews or all_reviews))
        request = TextRequest("summary", product_id, language, sources=sources)

        def may_quote(sentence: str) -> bool:
            sentence_checks = (
                check_personal_data(sentence, request),
                check_harm(sentence, self.lists, self.limits, LabellerPrediction()),
                check_leakage(sentence, request),
            )
            return all(check.is_passed for check in sentence_checks)

        summary = summarise(reviews, review_count, self.lists.reader, self.section, keywords or (), may_quote)
        checks: tuple[TextCheck, ...] = ()
        if summary is not None:
            # the text determines the length, because no length was requested
            request = replace(request, length=length_of(summary.text, language))
            checks = check_text(summary.text, request, self.lists, self.limits)
        id_ = text_id(request, PROMPT_VERSION, MODEL_NAME, METHOD_VERSION)
        return {
            "text_id": id_,
            "purpose": request.purpose,
            "product_id": product_id,
            "record_id": None,
            "lang_code": language,
            "text": summary.text if summary else None,
            "visible_label": VISIBLE_LABELS[language],
            "is_synthetic": True,
            "model_name": MODEL_NAME,
            "model_version": METHOD_VERSION,
            "prompt_fingerprint": prompt_fingerprint(request, PROMPT_VERSION),
            "seed": request.seed,
            "decoding": json.dumps(self.section.result_part(), sort_keys=True),
            "source_record_ids": list(summary.source_record_ids) if summary else [],
            "checks": [check._asdict() for check in checks],
            "attempt_count": 1,
            "error": _error(reviews, summary, checks),
            "meta": None,
            "claims": [_claim_row(claim) for claim in summary.claims] if summary else [],
        }


def _claim_row(claim: Claim) -> dict[str, Any]:
    names = ("kind", "text", "aspect", "positive_count", "mention_count")
    return {name: getattr(claim, name) for name in names} | {"source_record_ids": list(claim.source_record_ids)}


def _error(
    reviews: Sequence[ReviewText], summary: Summary | None, checks: tuple[TextCheck, ...]
) -> dict[str, str] | None:
    if summary is not None:
        failures = failed(checks)
        if not failures:
            return None
        name, message = "FailedChecks", "; ".join(f"{check.name}: {check.reason}" for check in failures)
    elif not any(review.text for review in reviews):
        name, message = "EmptyText", "no review of the product has a text that may be read"
    elif main_language(review.language for review in reviews if review.text) is None:
        name, message = "UnsupportedLanguage", "no review of the product is in Chinese or English"
    else:
        name, message = "NothingToSay", "no sentence can be quoted alone, and no aspect is named often enough"
    return {"class": name, "message": message, "stage": "summarise"}
