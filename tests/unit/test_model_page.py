from html.parser import HTMLParser

import numpy as np
import pytest

from reviewgen_spark.models.classifier.heads import Head
from reviewgen_spark.models.classifier.model_folder import ModelSettings
from reviewgen_spark.models.evaluation.curves import collect_curves
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.reports.model_page import BaselineGain, ModelPage, render

EVIL = "<script>alert(1)</script>"
HEADINGS = (
    "Training",
    "Scores",
    "Ranking",
    "Calibration",
    "Accuracy by slice",
    "Robustness",
    "Tasks other than sentiment",
    "Version",
    "How to read this page",
)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects headings, links and text of a page; an element closed in the wrong order is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.headings: dict[str, list[str]] = {"h2": [], "h3": []}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") and value]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag in self.headings:
            self.headings[tag].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data + " "
        if self._open and self._open[-1] in self.headings:
            self.headings[self._open[-1]][-1] += data


def settings(**changes) -> ModelSettings:
    values = {
        "heads": (
            Head("sentiment", ("negative", "positive"), 0, 2, 1.437),
            Head("stars", ("1", "2", "3", "4", "5"), 2, 5),
        ),
        "max_tokens": 64,
        "base": "scratch:tiny",
        "corpus_fingerprint": "c0ffee",
        "training": {
            "seed": 42,
            "epochs": 2,
            "tasks": ["sentiment", "stars"],
            "rows_per_label": None,
            "schedule": "linear",
        },
    }
    return ModelSettings(**{**values, **changes})


def scores_of(slice_name: str, rows: int = 400, model: str = "model", **figures: float) -> list[Score]:
    return [
        Score(model, "test", slice_name, name, value, value - 0.02, value + 0.02, rows)
        for name, value in figures.items()
    ]


ALL = [
    *scores_of("all", accuracy=0.9, f1=0.89, f1_macro=0.9, precision=0.9, recall=0.88, auc=0.95, ece=0.03),
    *(
        Score("model", "test", "all", n, v, None, None, 400)
        for n, v in (("tn", 1801), ("fp", 199), ("fn", 201), ("tp", 1799))
    ),
]
BASELINE = [
    *scores_of("all", model="tfidf_logistic", accuracy=0.86, f1=0.85, f1_macro=0.86, auc=0.92),
    Score("model", "test", "all", "f1_gain_over_tfidf_logistic", 0.04, 0.021, 0.062, 400),
]
SLICES = [
    *scores_of("category=酒店", accuracy=0.93, f1=0.5),
    *scores_of("category=书籍", rows=1234, accuracy=0.81),
    *scores_of("category=few", rows=19, accuracy=0.11),
    *scores_of("lang=zh-hans", accuracy=0.9),
    *scores_of("length=151+", accuracy=0.91),
    *scores_of("length=21-60", accuracy=0.92),
    *scores_of("rating=1", accuracy=0.95),
]
ROBUST = [
    *scores_of("robust=none", accuracy=0.9),
    *scores_of("robust=drop", accuracy=0.85),
    *scores_of("robust=negated", rows=56, accuracy=0.4),
]
TASKS = scores_of("task=stars", rows=350, accuracy=0.61, f1_macro=0.55)
TRAINING = [
    {"epoch": 1, "train_loss": 0.5, "validation_loss": 0.45, "validation_f1": 0.88, "validation_accuracy": 0.87},
    {"epoch": 2, "train_loss": 0.3, "validation_loss": 0.5, "validation_f1": 0.87, "validation_accuracy": 0.86},
]


def curves(models: tuple[str, ...] = ("model", "tfidf_logistic")):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 400)
    scored = {name: np.clip(labels * 0.3 + rng.random(400) * 0.7, 0, 1) for name in models}
    return collect_curves("test", labels, scored, "model", 1.437)


def filled(**changes) -> ModelPage:
    values = {
        "settings": settings(),
        "sha256": "ab" * 32,
        "training": TRAINING,
        "scores": [*ALL, *BASELINE, *SLICES, *ROBUST, *TASKS],
        "curves": curves(),
        "train_rows": 12_988,
    }
    return ModelPage(**{**values, **changes})


def text_of(page: ModelPage) -> str:
    return " ".join(Page(render(page)).text.split())


def test_every_section_is_present_and_linked():
    page = Page(render(filled()))
    assert tuple(page.headings["h2"]) == HEADINGS
    assert set(page.headings["h3"]) == {
        "Loss by epoch", "Validation by epoch", "Comparison with baselines", "Confusion matrix", "All scores",
        "ROC curve",
        "Precision and recall", "Reliability diagram", "Scores by label", "Category", "Length", "Language", "Stars",
        "Accuracy under perturbations", "Training settings",
    }  # fmt: skip
    assert sorted(link.removeprefix("#") for link in page.links) == sorted(page.ids)
    assert "no data yet" not in page.text


def test_a_model_without_scores_shows_only_its_settings():
    page = Page(render(filled(scores=[], curves=None, training=[], train_rows=None)))
    assert page.headings == {"h2": ["Version", "How to read this page"], "h3": ["Training settings"]}
    assert "svg" not in page.tags and "no data yet" not in page.text


@pytest.mark.parametrize(
    ("absent", "heading"),
    [
        ({"training": []}, "Training"),
        ({"curves": None}, "Ranking"),
        ({"curves": None}, "Calibration"),
        ({"scores": [*ALL, *BASELINE, *ROBUST, *TASKS]}, "Accuracy by slice"),
        ({"scores": [*ALL, *BASELINE, *SLICES, *TASKS]}, "Robustness"),
        ({"scores": [*ALL, *BASELINE, *SLICES, *ROBUST]}, "Tasks other than sentiment"),
    ],
)
def test_a_section_without_figures_is_left_out(absent, heading):
    page = Page(render(filled(**absent)))
    assert heading not in page.headings["h2"]
    assert sorted(link.removeprefix("#") for link in page.links) == sorted(page.ids)


def test_the_page_needs_no_network_and_no_script():
    html = render(filled())
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "url(" not in html and "@import" not in html
    markup = html.replace('xmlns="http://www.w3.org/2000/svg"', "").replace("http-equiv", "")
    assert "http" not in markup


@pytest.mark.parametrize(
    "evil",
    [
        {"settings": settings(base=EVIL)},
        {"settings": settings(corpus_fingerprint=EVIL)},
        {"settings": settings(training={EVIL: EVIL, "tasks": [EVIL]})},
        {"settings": settings(heads=(Head(EVIL, (EVIL, "b"), 0, 2),))},
        {"sha256": EVIL},
        {"scores": [*ALL, *scores_of(f"category={EVIL}", accuracy=0.8)]},
        {"scores": [*ALL, *scores_of(f"task={EVIL}", accuracy=0.8)]},
        {"scores": [*ALL, *scores_of("all", model=EVIL, accuracy=0.8)]},
        {"scores": [*ALL, Score("model", "test", "all", f"f1_gain_over_{EVIL}", 0.1, 0.1, 0.1, 9)]},
        {"scores": [*ALL, *ROBUST, *scores_of(f"robust={EVIL}", accuracy=0.8)]},
    ],
)
def test_names_are_escaped(evil):
    html = render(filled(**evil))
    assert "script" not in Page(html).tags
    assert "&lt;script&gt;" in html


def test_the_summary_has_score_interval_and_significance():
    text = text_of(filled())
    assert "F1 0.890 (95 %: 0.870 to 0.910) on 400 test reviews." in text
    assert "+0.040 (+0.021 to +0.062, paired) against TF-IDF + logistic: significantly better (95 %)." in text
    assert "No baseline was scored" not in text
    assert "No baseline was scored." in text_of(filled(scores=ALL))


@pytest.mark.parametrize(
    ("low", "high", "finding"),
    [
        (0.001, 0.1, "significantly better"),
        (-0.001, 0.1, "no significant"),
        (-0.1, 0.0, "no significant"),
        (-0.1, -0.001, "significantly worse"),
    ],
)
def test_a_gain_is_significant_if_its_whole_interval_is_on_one_side(low, high, finding):
    assert BaselineGain("b", (low + high) / 2, low, high).finding.startswith(finding)


def test_the_page_shows_version_and_training_settings():
    text = text_of(filled())
    assert f"Corpus c0ffee Model, sha256 {'ab' * 32}" in text
    assert "Tasks sentiment (negative, positive); stars (1, 2, 3, 4, 5) Training rows 12,988 Seed 42" in text
    assert "rows_per_label – schedule linear seed 42 tasks sentiment, stars" in text
    assert "was kept: epoch 1." in text


def test_slices_show_rows_weakest_first_and_leave_small_ones_out():
    text = text_of(filled())
    assert text.index("书籍 0.810 · 1,234 rows") < text.index("酒店 0.930 · 400 rows")
    assert "Slices with fewer than 20 rows are left out: 1." in text
    assert "0.110" not in text
    assert text.index("21-60") < text.index("151+")  # shortest first, though more accurate
    assert "Chinese, simplified" in text and "1 star" in text


def test_only_the_largest_slices_are_shown():
    many = [score for rows in range(100, 130) for score in scores_of(f"category=c{rows}", rows=rows, accuracy=0.8)]
    text = text_of(filled(scores=[*ALL, *many]))
    assert "c110 0.800 · 110 rows" in text and "c109" not in text
    assert "are left out: 10." in text


def test_robustness_shows_the_loss_of_each_perturbation():
    text = text_of(filled())
    assert "characters dropped 0.850 · -0.050" in text
    assert "negated 0.400 · 56 rows" in text


def test_other_tasks_are_shown_with_their_labels():
    assert "stars 1, 2, 3, 4, 5 350 0.610 95 %: 0.590 to 0.630 0.550 95 %: 0.530 to 0.570" in text_of(filled())


def test_curves_are_labelled_with_their_areas():
    shown = curves()
    text = text_of(filled(curves=shown))
    assert f"fine-tuned model, area {shown.rankings['model'].auc:.3f}" in text
    assert f"TF-IDF + logistic, area {shown.rankings['tfidf_logistic'].average_precision:.3f}" in text
    assert "A temperature of 1.437 changes the calibration error" in text
    assert "TF-IDF" not in text_of(filled(curves=curves(("model",)), scores=ALL))


def test_equal_figures_give_equal_pages():
    assert render(filled()) == render(filled())
