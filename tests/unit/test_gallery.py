import json
import re
from pathlib import Path

import pytest

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.reports.gallery import Gallery, GalleryText, Metric, ModelMetrics, read_metrics, render
from reviewgen_spark.text.checks.checks import TextCheck
from tests.unit.test_model_page import Page

EVIL = "<script>alert(1)</script>\"'></article>"
PASSED = (TextCheck("length", 0.0, True), TextCheck("language", 0.02, True))


def shown(text_id: str, purpose: str = "reply", **values: object) -> GalleryText:
    defaults = {
        "product_id": "p1",
        "lang_code": "zh",
        "text": "很抱歉给您带来不便",
        "model": "template 1",
        "seed": 7,
        "attempt_count": 1,
        "checks": PASSED,
        "error": None,
        "sources": ("电池不行",),
        "source_count": 1,
    }
    return GalleryText(text_id, purpose, **{**defaults, **values})  # type: ignore[arg-type]


FAILED = shown(
    "t2",
    "product_copy",
    text="销量第一",
    checks=(*PASSED, TextCheck("superlatives", 0.5, False, "claims 第一")),
    error="CheckError: superlatives",
    source_count=8,
)
SCORES = (
    ModelMetrics("torch", {"self-BLEU": Metric(0.31, 0.3, 0.33)}),
    ModelMetrics("n-gram", {"distinct-2": Metric(0.5)}),
)
GALLERY = Gallery((shown("t1"), FAILED), {"reply": (10, 0), "product_copy": (4, 1)})


def test_the_page_is_complete_and_needs_no_network() -> None:
    html = render(GALLERY, SCORES)
    page = Page(html)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:|//)", html)
    assert "default-src 'none'" in html
    assert page.tags.count("article") == 2
    assert "【AI生成】</span>很抱歉给您带来不便</p>" in html
    assert "<b>superlatives</b>: claims 第一" in html and "✗ superlatives 0.50" in page.text
    assert '<li title="length">✓ 1 more check</li>' in html
    assert "and 7 more" in page.text
    assert render(GALLERY) == render(GALLERY)


def test_texts_and_reviews_are_escaped() -> None:
    evil = shown("t3", text=EVIL, sources=(EVIL,), product_id=EVIL, error=EVIL, model=EVIL)
    html = render(Gallery((evil,), {"reply": (1, 1)}), (ModelMetrics(EVIL, {EVIL: Metric(1.0)}),))
    assert html.count("<script>") == html.count("</article>") == 1
    Page(html)


def test_filters_list_the_values_of_the_page() -> None:
    html = render(GALLERY)
    assert '<option value="superlatives">superlatives (1)</option>' in html
    assert '<option value="reply">Reply</option>' in html
    assert 'data-purpose="product_copy" data-lang="zh" data-result="error" data-check="superlatives"' in html
    assert 'data-result="passed" data-check=""' in html


def test_training_data_has_no_visible_label() -> None:
    html = render(Gallery((shown("t1", "augmentation"),), {"augmentation": (1, 0)}))
    assert "【AI生成】" not in html and "Training data" in html


def test_a_page_without_texts_names_the_command_to_run() -> None:
    assert "reviewgen run generate" in Page(render(Gallery((), {}))).text


def test_metrics_are_read_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"torch": {"bpc": {"value": 4.0, "low": 3.9, "high": 4.1}}, "n-gram": {"bpc": 5}}))
    torch, ngram = read_metrics(path)
    assert (torch.metrics["bpc"], ngram.metrics["bpc"]) == (Metric(4.0, 3.9, 4.1), Metric(5))
    assert "3.900 to 4.100" in render(GALLERY, (torch, ngram))


@pytest.mark.parametrize(
    "content", ["", "[]", '{"m": 1}', '{"m": {"a": "x"}}', '{"m": {"a": {"low": 1}}}', '{"m": {"a": {"value": true}}}']
)
def test_broken_metrics_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="--metrics"):
        read_metrics(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_metrics(tmp_path / "absent.json")
