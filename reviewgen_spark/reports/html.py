"""Fills the templates of the pages, and holds display names for language codes."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reviewgen_spark.reports.charts import number

STYLE = "page_style.html"
_BLOCK = {kind: re.compile(rf"<{kind}>(.*?)</{kind}>", re.DOTALL) for kind in ("style", "script")}

LANGUAGES = {
    "zh-hans": "Chinese, simplified",
    "zh-hant": "Chinese, traditional",
    "en": "English",
    "mixed": "mixed",
    "other": "other",
}


def fill(template: str, **values: Any) -> str:
    """Fills a template of the package; every value is escaped that is not markup already.

    `page_style.html` and `page_parts.html` hold what the pages have in common. A page is one file. It loads nothing
    from the network, and only the gallery has a script, for its filters.
    """
    environment = Environment(
        loader=PackageLoader("reviewgen_spark.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, share=share)
    return environment.get_template(template).render(values, policy=Markup(content_policy(environment, template)))


def content_policy(environment: Environment, template: str) -> str:
    """Returns the Content-Security-Policy of a page: only the styles and scripts of the templates, by their hashes.

    The hashes are those of the templates, not of the filled page, so markup that a value smuggled in has none.
    """
    assert environment.loader is not None
    sources = [environment.loader.get_source(environment, name)[0] for name in (template, STYLE)]
    hashes = {
        kind: " ".join(_hash(block) for source in sources for block in _BLOCK[kind].findall(source)) or "'none'"
        for kind in ("style", "script")
    }
    return (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(block: str) -> str:
    return f"'sha256-{b64encode(sha256(block.encode()).digest()).decode()}'"


def share(part: float, whole: float) -> str:
    """Formats a part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
