"""Defines what an erasure has to remove, and its outcome."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from reviewgen_spark.text.privacy.erasure_keys import Kind


@dataclass(frozen=True)
class ErasureRequest:
    """Holds the ids of the users and reviews to erase; they are never printed.

    Attributes:
        users: Ids of users.
        reviews: Ids of reviews.
        source: The only source to erase them in; None means all sources.
    """

    users: frozenset[str] = frozenset()
    reviews: frozenset[str] = frozenset()
    source: str | None = None

    @property
    def keyed(self) -> Iterable[tuple[Kind, str]]:
        """Yields the kind and id of each user and review."""
        yield from (("user", user) for user in sorted(self.users))
        yield from (("review", review) for review in sorted(self.reviews))


@dataclass
class ErasureOutcome:
    """Reports what an erasure did, and what is left to do by hand.

    Attributes:
        record_count: Number of records that were in bronze_reviews.
        tables: Tables that had rows of the records.
        landing: Delivered files that still contain a record, with line numbers.
        rewritten: Delivered files whose records were emptied.
        models: Models and model folders that were, or may have been, trained on the records.
        exports: Folders with exported texts, if a deleted text was made from the records.
        leftovers: Files outside the landing folder that still contain an id or a text, or have an id in their name.
        unsearched: Files and places that were not searched to their end, with the reason.
    """

    record_count: int = 0
    tables: list[str] = field(default_factory=list)
    landing: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Returns the lines that `reviewgen erase` prints."""
        lines = [f"{self.record_count:,} records erased; rows deleted from: {', '.join(self.tables) or 'no table'}"]
        lines += [f"emptied in the landing folder: {file}" for file in self.rewritten]
        lines += [f"still in the landing folder: {file}" for file in self.landing]
        lines += [f"trained on the records: {model}" for model in self.models]
        lines += [f"texts were exported, perhaps made from the records: {export}" for export in self.exports]
        lines += [f"still contains an id or a text: {file}" for file in self.leftovers]
        lines += [f"not searched: {place}" for place in self.unsearched]
        return lines
