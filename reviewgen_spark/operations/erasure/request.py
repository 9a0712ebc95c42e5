"""Defines what an erasure is asked to remove, and its outcome."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from reviewgen_spark.text.privacy.erasure_keys import Kind


@dataclass(frozen=True)
class Request:
    """Holds the ids of the users and reviews to erase; they are never printed."""

    users: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()

    @property
    def keyed(self) -> Iterable[tuple[Kind, str]]:
        """Yields the kind and id of each user and review."""
        yield from (("user", user) for user in sorted(self.users))
        yield from (("review", review) for review in sorted(self.reviews))


@dataclass
class Outcome:
    """Reports what an erasure did, and what is left to do by hand.

    Attributes:
        record_count: number of records that were in bronze_reviews.
        tables: tables that had erased rows.
        landing: delivered files that still hold a record, with line numbers.
        rewritten: delivered files whose records were emptied.
        models: models and model folders that were, or may have been, trained on the records.
        exports: folders with exported texts, if a deleted text was made from the records.
        leftovers: files outside the landing folder that still hold an id or a text.
    """

    record_count: int = 0
    tables: list[str] = field(default_factory=list)
    landing: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Returns the lines that `reviewgen erase` prints."""
        lines = [f"{self.record_count:,} records erased; rows went from: {', '.join(self.tables) or 'no table'}"]
        lines += [f"emptied in the landing folder: {found}" for found in self.rewritten]
        lines += [f"still in the landing folder: {found}" for found in self.landing]
        lines += [f"trained on the records: {model}" for model in self.models]
        lines += [f"texts were exported, perhaps made from the records: {export}" for export in self.exports]
        lines += [f"still holds an id or a text: {file}" for file in self.leftovers]
        return lines
