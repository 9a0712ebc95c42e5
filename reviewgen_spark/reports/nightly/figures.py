"""What the report shows: figures only, no review text, no user id. `report_queries` fills it, `report` draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class SourceFile:
    """What became of the records of one delivered file; `state` is the last decision about it."""

    path: str
    state: str
    bronze: int
    quarantined: int
    redelivered: int


@dataclass(frozen=True)
class Sentiment:
    """Labels of a group of reviews."""

    name: str
    positive: int
    negative: int


@dataclass(frozen=True)
class Score:
    """A figure of a model on a split, with its 95 % bootstrap interval where it has one."""

    model: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The last evaluation: which split, which labels, how many rows, every score on all of them."""

    split: str
    labels: str
    row_count: int
    evaluated_at: datetime
    scores: Sequence[Score]


@dataclass(frozen=True)
class Product:
    """A row of gold_product_satisfaction."""

    product_id: str
    category: str | None
    review_count: int
    satisfaction_pct: float
    satisfaction_score: float
    rating_mean: float | None


@dataclass(frozen=True)
class StageTiming:
    """All successful runs of a stage together, and its failures."""

    stage: str
    runs: int
    failures: int
    rows: int
    seconds: float
    last_seconds: float


@dataclass(frozen=True)
class Promotion:
    """A decision about a model version."""

    model: str
    version: int
    is_promoted: bool
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Word:
    """A word and in how many reviews of each sentiment it stands; z above 1.96 is beyond chance at 95 %."""

    word: str
    negative_count: int
    positive_count: int
    z: float


@dataclass(frozen=True)
class SplitBalance:
    """How far an attribute depends on the split: Cramér's V, 0 to 1; below 0.1 is negligible."""

    attribute: str
    cramers_v: float


@dataclass(frozen=True)
class VoterScore:
    """A voter of weak_labels, or what is made of the votes.

    `conflicts` are its votes on reviews that voters dispute; `estimated` its accuracy by the label model; of `gold`
    votes on reviews with a gold label `right` agree with it.
    """

    name: str
    votes: int
    conflicts: int
    estimated: float | None
    gold: int
    right: int


@dataclass(frozen=True)
class ReportData:
    """Everything the page shows. An empty field is a table without rows, and the page says so.

    `delivered` counts the records of the accepted review files; `rejected_files` were refused whole and are not in
    it. `broken` reviews broke a quality rule of severity error. Days are those of `timezone`. `splits` and the
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
