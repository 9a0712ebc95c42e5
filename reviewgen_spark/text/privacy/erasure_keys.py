"""Stores erased identifiers as keyed hashes, and checks whether a record contains one of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

Kind = Literal["user", "review"]

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r'[^\s,:;{}\[\]"]+')


def erasure_key(kind: Kind, identifier: str, key: bytes, source: str | None = None) -> str:
    """Returns the keyed hash of an erased user or review. It differs from every other hash of the project.

    Args:
        kind: `user` or `review`. A user and a review with the same id have different hashes.
        identifier: The id as the source delivers it.
        key: The secret key of user_key.
        source: The only source of the user or review; None means all sources.

    >>> erasure_key("user", "u1", b"k") == erasure_key("review", "u1", b"k")
    False
    """
    scope = kind if source is None else f"{kind}@{len(source)}:{source}"
    content = f"{scope}:{identifier}".encode("utf-8", "surrogatepass")
    return blake2b(content, key=key, digest_size=16, person=b"erasure").hexdigest()


def key_fingerprint(key: bytes) -> str:
    """Returns a hash that identifies a secret key. The 256 secret bits of the key cannot be derived from it."""
    return blake2b(key, digest_size=8, person=b"fingerprint").hexdigest()


@dataclass(frozen=True)
class Erased:
    """Holds the users, reviews and records that must stay erased.

    Attributes:
        keys: `erasure_key` of each user and review.
        key: The secret key of these hashes.
        places: source_file and source_line of erased records. These stay erased, whatever their content is now.
        sources: Every known source. A record whose source is not known is compared with the ids of all of them.
    """

    keys: frozenset[str]
    key: bytes
    places: frozenset[tuple[str, int]] = frozenset()
    sources: tuple[str, ...] = ()

    def has_user(self, user_id: str | None, source: str | None = None) -> bool:
        """Checks whether the user of a source is erased; without a source, whether one of any source is."""
        return self._has("user", user_id, source)

    def has_review(self, review_id: str | None, source: str | None = None) -> bool:
        """Checks whether the review of a source is erased; without a source, whether one of any source is."""
        return self._has("review", review_id, source)

    def _has(self, kind: Kind, identifier: str | None, source: str | None) -> bool:
        if not self.keys or identifier is None:
            return False
        sources = self.sources if source is None else (source,)
        return any(erasure_key(kind, identifier, self.key, scope) in self.keys for scope in (None, *sources))

    def is_named_in(self, raw_record: str | None, source: str | None = None) -> bool:
        """Checks whether a malformed record contains the id of an erased user or review."""
        if not self.keys or not raw_record:
            return False
        return any(
            self.has_user(identifier, source) or self.has_review(identifier, source)
            for identifier in set(candidate_ids(raw_record))
        )


def candidate_ids(raw_record: str) -> Iterator[str]:
    """Yields possible identifiers of a malformed record: quoted strings, fields between commas, words without quotes.

    >>> sorted(set(candidate_ids('{"user_id": "u 1", "n": 7')))
    ['"n": 7', '1', '7', 'n', 'u', 'u 1', 'user_id', '{"user_id": "u 1"']
    """
    for quoted in _QUOTED.findall(raw_record):
        yield quoted
        if "\\" in quoted:
            yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), quoted).replace("\\", "")
    for field in raw_record.split(","):
        yield field.strip()
    yield from _BARE.findall(raw_record)
