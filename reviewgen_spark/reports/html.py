"""Fills the templates of the pages, and holds display names for language codes."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reviewgen_spark.reports.charts import number

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
    return environment.get_template(template).render(values)


def share(part: float, whole: float) -> str:
    """Formats a part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
