"""What the pages share: how a template is filled, and names for people of what tables call by codes."""

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
    """Fill a template of the package; every value is escaped that is not markup already.

    `page_style.html` and `page_parts.html` hold what the pages have in common. A page is one file: it asks the network
    for nothing, and runs no script but the gallery's filters.
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
    """A part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"
