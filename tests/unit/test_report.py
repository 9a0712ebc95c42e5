from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from pydantic import ValidationError

from reviewgen_spark.config import ReportSection
from reviewgen_spark.reports.nightly.figures import (
    Evaluation,
    ModelScore,
    Product,
    Promotion,
    ReportData,
    Sentiment,
    SourceFile,
    SplitBalance,
    StageTiming,
    VoterScore,
    Word,
)
from reviewgen_spark.reports.nightly.report import render

AT = datetime(2026, 1, 10, 2, 14, tzinfo=UTC)


class Page(HTMLParser):
    """Collects text, tags and links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_data(self, data):
        self.text += data + " "  # a space between cells


def filled(**changes) -> ReportData:
    scores = [
        ModelScore("majority", "accuracy", 0.5096, 0.448, 0.571),
        ModelScore("model", "accuracy", 0.8069, 0.757, 0.853),
        ModelScore("model", "f1_gain_over_tfidf_logistic", -0.0148, -0.0671, 0.0341),
        *(ModelScore("model", name, value) for name, value in (("tn", 109), ("fp", 23), ("fn", 27), ("tp", 1100))),
        ModelScore("tfidf_logistic", "accuracy", 0.8263, 0.776, 0.869),
    ]
    values = {
        "timezone": "Asia/Shanghai",
        "updated_at": AT,
        "delivered": 3135,
        "bronze": 3058,
        "quarantined": 47,
        "redelivered": 30,
        "rejected_files": 1,
        "clean": 3056,
        "broken": 2,
        "unique": 2936,
        "copies": 120,
        "labelled": 2914,
        "label_errors": 24,
        "satisfaction_pct": 48.266,
        "days": {"2026-01-05": 1300, "2026-01-06": 1758},
        "files": (SourceFile("reviews/broken.jsonl.gz", "rejected", 0, 0, 0),),
        "quarantine": {"malformed_json": 47},
        "quality_errors": {"impossible_date": 2},
        "quality_flags": {"too_short": 9},
        "categories": (Sentiment("酒店", 411, 538),),
        "sentiment_days": (Sentiment("2026-01-05", 280, 320),),
        "words": (Word("失望", 402, 40, 17.25), Word("差", 82, 20, 6.45)),
        "evaluation": Evaluation("test", "gold", 1259, AT, scores),
        "best_products": (Product("BK-0001", "图书", 1173, 87.283, 0.8515, None),),
        "product_count": 100,
        "weak_votes": {
            ("positive", "positive"): 60,
            ("positive", "negative"): 10,
            ("negative", "negative"): 20,
            (None, "positive"): 10,
        },
        "split_sizes": {"train": 80, "test": 20},
        "split_balance": (SplitBalance("category", 0.012), SplitBalance("rating", 0.2)),
        "voters": (
            VoterScore("lexicon", 90, 9, 0.91, 50, 46),
            VoterScore("vader", 10, 0, None, 0, 0),
            VoterScore("label model", 90, 9, None, 50, 47),
        ),
        "stages": (StageTiming("clean", 2, 1, 3058, 12.5, 6.1),),
        "models_in_use": {("review_sentiment", 3): 2938},
        "promotions": (Promotion("review_sentiment", 3, True, "test F1 0.8000 beats 0.7900", "register", AT),),
    }
    return ReportData(**{**values, **changes})


def text_of(data: ReportData) -> str:
    return " ".join(Page(render(data)).text.split())


def test_a_page_without_data_says_so():
    page = Page(render(ReportData()))
    assert "No stage has run yet." in page.text
    assert page.text.count("no data yet") == page.tags.count("h3") > 0  # each figure has one heading
    assert "svg" not in page.tags


def test_the_page_needs_no_network_and_no_script():
    html = render(filled())
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "url(" not in html and "@import" not in html
    assert "svg" in page.tags


@pytest.mark.parametrize(
    "evil",
    [
        {"categories": (Sentiment("<script>alert(1)</script>", 1, 2),)},
        {"files": (SourceFile("<script>alert(1)</script>", "reserved", 1, 0, 0),)},
        {"quarantine": {"<script>alert(1)</script>": 1}},
        {"words": (Word("<script>alert(1)</script>", 9, 1, 2.0),)},
        {"best_products": (Product("<script>alert(1)</script>", None, 1, 1.0, 0.5, 1.0),)},
        {"promotions": (Promotion("m", 1, False, "<script>alert(1)</script>", "x", AT),)},
        {"models_in_use": {("<script>alert(1)</script>", 1): 1}},
        {"quality_flags": {"<script>alert(1)</script>": 1}},
    ],
)
def test_names_from_the_data_are_escaped(evil):
    html = render(filled(**evil))
    assert "script" not in Page(html).tags
    assert "&lt;script&gt;" in html


def test_headline_figures_have_thousands_separators_and_shares():
    text = text_of(filled())
    assert "Records delivered 3,135 1 file rejected" in text
    assert "Bronze reviews 3,058 97.5 % of delivered" in text
    assert "Satisfaction 48.3 %" in text
    assert "Labels by review_sentiment version 3." in text


def test_sums_are_marked_as_equal_or_not():
    assert "3,058 bronze + 47 quarantined + 30 redelivered = 3,135 ✓ equals the records delivered" in text_of(filled())
    text = text_of(filled(delivered=3136))
    assert "= 3,135 ✗ 3,136 were delivered" in text
    assert "2,936 unique + 120 copies + 2 quarantined by a rule = 3,058 ✓ equals the bronze reviews" in text
    assert "✗ bronze has 3,057" in text_of(filled(bronze=3057))


def test_scores_are_shown_with_their_baselines():
    text = text_of(filled())
    assert "on the test split: 1,259 reviews with gold labels" in text
    assert "-0.015 (-0.067 to +0.034) over TF-IDF + logistic" in text
    table = text[text.index("All scores") :]
    assert table.index("fine-tuned model") < table.index("TF-IDF + logistic") < table.index("majority class")
    assert "0.807" in table and "0.757 to 0.853" in table
    assert "1,100" in text  # true positives, in the confusion matrix


def test_weak_labels_show_coverage_and_agreement():
    text = text_of(filled())
    assert "With a weak label (coverage) 90 90.0 %" in text  # 60 + 10 + 20 of 100
    assert "the same label (agreement) 80 88.9 %" in text  # 60 + 20 of 90


def test_voters_show_coverage_conflicts_and_accuracy():
    text = text_of(filled())
    assert "lexicon 90 90.0 % 10.0 % 0.910 0.920 50 reviews" in text
    assert "vader 10 10.0 % 0.0 % – – 0 reviews" in text


def test_the_balance_of_the_splits_is_shown():
    text = text_of(filled())
    assert "train 80 80.0 %" in text
    assert "dependence on category 0.012 negligible" in text
    assert "dependence on rating 0.200 splits differ" in text
    assert "copies in two splits 0" in text


def test_stages_show_speed_and_failures():
    assert "clean 2 1 3,058 12.5 6.1 245" in text_of(filled())  # 3,058 rows in 12.5 s


def test_synthetic_columns_are_named_where_they_are_shown():
    assert "Synthetic" not in text_of(filled())
    text = text_of(filled(synthetic_columns=("category", "rating")))
    assert "Synthetic here: category; the figures test the pipeline and describe no real shop." in text
    assert "Synthetic here: category, rating; the figures" in text


def test_equal_figures_give_equal_pages():
    assert render(filled()) == render(filled())


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ValidationError, match="IANA"):
        ReportSection(timezone="Shanghai")
