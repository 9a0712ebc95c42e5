"""Holds the figures of the report: no review text, no user id. `queries` computes them, `report` draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class SourceFile:
    """Counts the records of one delivered file by result; `state` is the last decision about the file."""

    path: str
    state: str
    bronze: int
    quarantined: int
    redelivered: int


@dataclass(frozen=True)
class Sentiment:
    """Counts the labels of a group of reviews."""

    name: str
    positive: int
    negative: int


@dataclass(frozen=True)
class ModelScore:
    """Holds a figure of a model on a split, with its 95 % bootstrap interval if it has one."""

    model: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Holds the last evaluation: its split, its labels, its number of rows, and every score on all rows."""

    split: str
    labels: str
    row_count: int
    evaluated_at: datetime
    scores: Sequence[ModelScore]


@dataclass(frozen=True)
class Product:
    """Holds a row of gold_product_satisfaction."""

    product_id: str
    category: str | None
    review_count: int
    satisfaction_pct: float
    satisfaction_score: float
    rating_mean: float | None


@dataclass(frozen=True)
class StageTiming:
    """Sums all successful runs of a stage, and counts its failures."""

    stage: str
    runs: int
    failures: int
    rows: int
    seconds: float
    last_seconds: float


@dataclass(frozen=True)
class Promotion:
    """Holds a decision about a model version."""

    model: str
    version: int
    is_promoted: bool
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Word:
    """Counts the reviews of each sentiment with a word; z above 1.96 is significant at 95 %."""

    word: str
    negative_count: int
    positive_count: int
    z: float


@dataclass(frozen=True)
class SplitBalance:
    """Measures how far an attribute depends on the split: Cramér's V, 0 to 1; below 0.1 is negligible."""

    attribute: str
    cramers_v: float


@dataclass(frozen=True)
class VoterScore:
    """Measures a voter of weak_labels, or a label computed from the votes.

    `conflicts` are its votes on reviews on which voters disagree. `estimated` is its accuracy by the label model.
    `gold` are its votes on reviews with a gold label, and `right` are those that agree with it.
    """

    name: str
    votes: int
    conflicts: int
    estimated: float | None
    gold: int
    right: int


@dataclass(frozen=True)
class ReportData:
    """Holds everything that the page shows. An empty field means a table without rows, and the page says so.

    `delivered` counts the records of the accepted review files. `rejected_files` were refused as a whole and do not
    count there. `broken` reviews broke a quality rule of severity error. Days are those of `timezone`. `splits` and the
    sentiments count labelled reviews that are no copy.
    """

    timezone: str = "UTC"
    synthetic_columns: Sequence[str] = ()
    updated_at: datetime | None = None
    delivered: int = 0
    bronze: int = 0
    quarantined: int = 0
    redelivered: int = 0
    rejected_files: int = 0
    clean: int = 0
    broken: int = 0
    unique: int = 0
    copies: int = 0
    labelled: int = 0
    label_errors: int = 0
    satisfaction_pct: float | None = None
    days: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[SourceFile] = ()
    quarantine: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    masks: Mapping[str, int] = field(default_factory=dict)
    quality_errors: Mapping[str, int] = field(default_factory=dict)
    quality_flags: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    copy_groups: Mapping[str, int] = field(default_factory=dict)
    splits: Sequence[Sentiment] = ()
    split_sizes: Mapping[str, int] = field(default_factory=dict)
    split_balance: Sequence[SplitBalance] = ()
    straddling: int = 0
    categories: Sequence[Sentiment] = ()
    sentiment_days: Sequence[Sentiment] = ()
    score_bins: Sequence[int] = ()
    words: Sequence[Word] = ()
    evaluation: Evaluation | None = None
    best_products: Sequence[Product] = ()
    worst_products: Sequence[Product] = ()
    product_count: int = 0
    weak_votes: Mapping[tuple[str | None, str | None], int] = field(default_factory=dict)
    voters: Sequence[VoterScore] = ()
    stages: Sequence[StageTiming] = ()
    models_in_use: Mapping[tuple[str, int], int] = field(default_factory=dict)
    promotions: Sequence[Promotion] = ()
