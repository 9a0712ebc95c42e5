"""Configures keywords, satisfaction and summaries of products, and the report."""

from typing import Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from reviewgen_spark.config.section import Section


class KeywordsSection(Section):
    """Configures the keywords of a product: how many words, by which methods, from how many reviews."""

    methods: tuple[Literal["tfidf", "textrank"], ...] = Field(
        ("tfidf", "textrank"), min_length=1, description="how words are ranked; each method writes rows of its own"
    )
    top: int = Field(20, ge=1, description="keywords of a product, by each method")
    min_reviews: int = Field(3, ge=1, description="reviews of the product that must contain a word")
    max_reviews: int = Field(5_000, ge=1, description="reviews of a product that are read")
    window: int = Field(5, ge=2, description="TextRank connects words whose distance is less than this")
    max_words: int = Field(300, ge=2, description="words of TextRank's graph of a product, at most")


class SatisfactionSection(Section):
    """Configures how labels are aggregated by product."""

    min_reviews: int = Field(5, ge=1, description="labelled reviews from which `has_enough_reviews` is true")
    prior_weight: float = Field(10, ge=0, description="weight of the shop-wide mean, as a number of reviews")


class SummariseSection(Section):
    """Configures summaries of a product: representative quotes, and counts of reviews by aspect."""

    max_reviews: int = Field(400, ge=1, description="reviews of a product that are read and counted, at most")
    max_words: int = Field(60, ge=5, description="words of all quotes together; people write 50 (docs/experiments.md)")
    max_counts: int = Field(3, ge=0, description="aspects that are counted, at most; the most frequent first")
    min_mentions: int = Field(
        5,
        ge=1,
        description="an aspect is counted from this number of reviews on, because a share of fewer is unreliable",
    )
    keywords: int = Field(5, ge=0, description="first keywords of the product that are used as aspects too")


class ReportSection(Section):
    """Configures the HTML report."""

    timezone: str = Field("Asia/Shanghai", description="time zone of the days")
    top_words: int = Field(20, ge=1, description="words of the chart of complaints")
    top_products: int = Field(10, ge=1, description="products of the list of the most and the least liked")
    synthetic_columns: tuple[str, ...] = Field(
        (), description="columns with synthetic values; their charts are marked (for the sample: docs/sample.md)"
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("expected an IANA name such as Asia/Shanghai")
        return name
