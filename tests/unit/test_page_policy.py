"""The Content-Security-Policy of the pages: it permits the page's own style and script by hash, and nothing else."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import unescape

import pytest
from markupsafe import Markup

from reviewgen_spark.reports import model_page
from reviewgen_spark.reports.gallery import Gallery, render
from reviewgen_spark.reports.html import fill
from reviewgen_spark.reports.nightly import report
from tests.unit import test_gallery, test_model_page, test_report

PAGES: dict[str, Callable[[], str]] = {
    "gallery": lambda: render(test_gallery.GALLERY, test_gallery.SCORES),
    "report": lambda: report.render(test_report.filled()),
    "model page": lambda: model_page.render(test_model_page.filled()),
}


def policy_of(html: str) -> dict[str, list[str]]:
    [policy] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', html)
    directives = [directive.split() for directive in unescape(policy).split(";")]
    return {name: values for name, *values in directives}


def hash_of(block: str) -> str:
    return f"'sha256-{b64encode(sha256(block.encode()).digest()).decode()}'"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_permits_its_own_blocks_and_nothing_else(page: str) -> None:
    html = PAGES[page]()
    policy = policy_of(html)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    for kind in ("style", "script"):
        blocks = re.findall(rf"<{kind}\b[^>]*>(.*?)</{kind}>", html, flags=re.DOTALL)
        assert sorted(policy[f"{kind}-src"]) == (sorted(map(hash_of, blocks)) or ["'none'"])
    assert "unsafe" not in html.partition("</head>")[0]
    assert html.index("Content-Security-Policy") < html.index("<title>") < html.index("<style>")


@pytest.mark.parametrize("page", PAGES)
def test_no_element_has_a_style_or_a_handler_of_its_own(page: str) -> None:
    elements = re.findall(r"<[a-z][^>]*>", PAGES[page]())
    assert [element for element in elements if re.search(r"\s(style|on[a-z]+)\s*=", element)] == []


def test_markup_that_got_through_is_not_permitted() -> None:
    evil = Markup("<script>alert(1)</script><style>body{display:none}</style>")
    page = fill(
        "gallery.html",
        **dict.fromkeys(("texts", "failed_checks", "languages", "metrics", "metric_names"), ()),
        names={"reply": evil},
        totals={"reply": (1, 0)},
        all_count=1,
        failed_count=0,
        product_count=1,
    )
    assert "<script>alert(1)</script>" in page
    policy = policy_of(page)
    assert hash_of("alert(1)") not in policy["script-src"] and hash_of("body{display:none}") not in policy["style-src"]


def test_the_policy_is_the_same_each_time() -> None:
    assert policy_of(render(Gallery((), {}))) == policy_of(render(test_gallery.GALLERY))
