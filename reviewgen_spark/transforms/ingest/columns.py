"""Names the columns of a record: the known ones in any case and with any blanks around, each once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

REQUIRED_REVIEW_COLUMNS = ("product_id", "text", "created_at")
REVIEW_COLUMNS = (
    "review_id",
    "product_id",
    "user_id",
    "category",
    "rating",
    "title",
    "text",
    "created_at",
    "updated_at",
)
REQUIRED_GOLD_COLUMNS = ("review_id", "task", "label")
GOLD_COLUMNS = (*REQUIRED_GOLD_COLUMNS, "source", "review_source")


@dataclass(frozen=True)
class Feed:
    """The columns of a feed: those it must have, and all that are known. Others of a review go to `extra`."""

    required: tuple[str, ...]
    known: tuple[str, ...]

    def canonical(self, name: str) -> str:
        """Returns the name of a column without blanks around; a known one in lower case, with `_` between its words.

        >>> [FEEDS["reviews"].canonical(name) for name in (" User_ID", "User Id", "Shop ")]
        ['user_id', 'user_id', 'Shop']
        """
        stripped = name.strip().strip("\ufeff").strip()
        lowered = re.sub(r"[\s_-]+", "_", stripped.casefold())
        return lowered if lowered in self.known else stripped

    def missing(self, names: Iterable[str]) -> list[str]:
        """Returns the required columns that a header lacks."""
        present = {self.canonical(name) for name in names}
        return [name for name in self.required if name not in present]

    def present(self, names: Iterable[str]) -> list[str]:
        """Returns the known columns that a header has. Other names are not returned: they may be values of a row."""
        present = {self.canonical(name) for name in names}
        return [name for name in self.known if name in present]


FEEDS = {
    "reviews": Feed(REQUIRED_REVIEW_COLUMNS, REVIEW_COLUMNS),
    "gold_labels": Feed(REQUIRED_GOLD_COLUMNS, GOLD_COLUMNS),
}


class ColumnNames:
    """Renames the columns of one file's records."""

    def __init__(self, feed: Feed) -> None:
        """Takes the columns of the feed."""
        self._feed = feed
        self._unchanged: set[str] = set()

    def rename(self, values: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """Returns a record under canonical names, and the reason if it must be refused; see `merge`."""
        if values.keys() <= self._unchanged:
            return values, None
        names = {name: self._feed.canonical(name) for name in values}
        self._unchanged.update(name for name, renamed in names.items() if name == renamed)
        if all(name == renamed for name, renamed in names.items()):
            return values, None
        return self.merge(values.items())

    def merge(self, pairs: Iterable[tuple[str, Any]]) -> tuple[dict[str, Any], str | None]:
        """Returns a record from names and values, in which a name may come twice.

        Of a column that comes twice, the value that is not empty counts. Two different values are the reason
        `<column>_twice`. A column that is not known and comes twice keeps both values: the later ones are numbered.
        """
        values: dict[str, Any] = {}
        reason = None
        for given, value in pairs:
            name = self._feed.canonical(given)
            is_known = name in self._feed.known
            if name not in values or (is_known and is_empty(values[name])):
                values[name] = value
            elif is_known and not is_empty(value) and value != values[name]:
                reason = reason or f"{name}_twice"
            elif not is_known:
                number = 2
                while f"{name} ({number})" in values:
                    number += 1
                values[f"{name} ({number})"] = value
        return values, reason


def is_empty(value: Any) -> bool:
    """Returns whether a value is null or a string without characters other than blanks."""
    return value is None or (isinstance(value, str) and not value.strip())
