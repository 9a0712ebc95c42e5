"""Searches bytes, cells and names for many values at once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from reviewgen_spark.operations.erasure.escapes import unescaped

if TYPE_CHECKING:
    import numpy as np

MIN_BYTES = 8
"""Shorter values are searched for only as whole cells and names, because any file may contain them by chance."""
_MAX_BYTES = 8192  # of a value; longer texts are found by their beginning
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
_MIXER = 0x9E3779B97F4A7C15
_TABLE_BITS = 20


class ByteNeedles:
    """Finds many byte strings in one pass: it looks up the last 8 bytes of each in a table."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        import numpy as np

        self._by_end: dict[int, list[bytes]] = {}
        for needle in sorted(set(needles)):
            if len(needle) >= MIN_BYTES:
                self._by_end.setdefault(int.from_bytes(needle[-8:], "little"), []).append(needle)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        if self._by_end:
            self._table[self._slots(np.array(list(self._by_end), dtype="<u8"))] = True
        self.longest = max((len(needle) for needles in self._by_end.values() for needle in needles), default=0)

    def are_in(self, data: bytes) -> bool:
        """Returns whether one of the byte strings is part of the data."""
        import numpy as np

        if not self._by_end:
            return False
        for offset in range(min(8, len(data) - 7)):
            words = np.frombuffer(data, dtype="<u8", count=(len(data) - offset) // 8, offset=offset)
            for index in np.flatnonzero(self._table[self._slots(words)]):
                end = offset + 8 * int(index) + 8
                for needle in self._by_end.get(int(words[index]), ()):
                    if data.startswith(needle, end - len(needle)) and end >= len(needle):
                        return True
        return False

    def _slots(self, words: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        import numpy as np

        return (words * np.uint64(_MIXER)) >> np.uint64(64 - _TABLE_BITS)


class Needles:
    """Finds values in every spelling that files of this project have.

    Attributes:
        overlap: Bytes by which two chunks of a stream must overlap, so that no spelling of a value is cut.
    """

    def __init__(self, values: Iterable[str], ids: Iterable[str]) -> None:
        exact = sorted(values)
        forms = {form for value in exact if len(_utf8(value)) >= MIN_BYTES for form in _forms(value)}
        self._as_written = ByteNeedles(form[:_MAX_BYTES] for form in forms)
        self._unescaped = ByteNeedles(unescaped(form)[:_MAX_BYTES] for form in forms)
        self._exact = pa.array(exact, pa.large_string())
        self._ids = frozenset(ids)
        self._long_ids = ByteNeedles(form for name in self._ids for form in (_utf8(name), unescaped(_utf8(name))))
        # The longest escape takes 6 bytes for one, and an escape of an escape twice as many.
        self.overlap = 12 * max(self._as_written.longest, self._unescaped.longest)

    def are_in(self, data: bytes) -> bool:
        """Returns whether bytes contain one of the values."""
        if self._as_written.are_in(data):
            return True
        if _is_packed(data):
            return False
        plain = unescaped(data)
        return plain != data and self._unescaped.are_in(plain)

    def are_in_name(self, name: str) -> bool:
        """Returns whether the name of a file or folder contains an id, or is one, as in `user_id=u1`.

        Short numbers do not count, because folders of batches and experiments have numbers as names.
        """
        parts = {name, name.partition(".")[0], name.rpartition("=")[2]}
        if any(part in self._ids and not part.isdecimal() for part in parts):
            return True
        return self._long_ids.are_in(_utf8(name)) or self._long_ids.are_in(unescaped(_utf8(name)))

    def are_in_column(self, column: Any) -> bool:
        """Returns whether a column, or one nested in it, has a value as a cell or inside a cell."""
        kind = column.type
        if isinstance(column, pa.ChunkedArray):
            return any(self.are_in_column(chunk) for chunk in column.chunks)
        if isinstance(column, pa.ExtensionArray):
            return self.are_in_column(column.storage)
        if pa.types.is_dictionary(kind):
            return self.are_in_column(column.dictionary)
        if pa.types.is_struct(kind):
            return any(self.are_in_column(child) for child in column.flatten())
        if pa.types.is_map(kind):
            return any(self.are_in_column(child) for child in (column.keys, column.items))
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            return self.are_in_column(column.flatten())
        if kind in (pa.string_view(), pa.binary_view()):
            return self.are_in_column(column.cast(pa.large_string() if kind == pa.string_view() else pa.large_binary()))
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if is_text and pc.any(pc.is_in(column.cast(pa.large_string()), value_set=self._exact)).as_py():
            return True
        if not (is_text or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            return False
        content = column.buffers()[2]
        if content is None or not self.are_in(content.to_pybytes()):
            return False
        # the end of one cell and the start of the next may look like a value
        return any(cell is not None and self.are_in(_bytes(cell)) for cell in column.to_pylist())


def _is_packed(data: bytes) -> bool:
    """Returns whether large data has nearly all byte values everywhere, as packed data and weights have, and no text.

    Undoing escapes takes ten times as long as the search, and packed data has escapes only by chance.
    """
    step = len(data) // 64
    return step >= 1024 and all(len(set(data[start : start + 1024])) > 230 for start in range(0, 64 * step, step))


def _forms(value: str) -> Iterable[bytes]:
    """Yields the bytes of a value in each encoding that can write it."""
    for encoding in _ENCODINGS:
        try:
            yield value.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "strict")
        except UnicodeEncodeError:
            continue


def _utf8(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _bytes(cell: str | bytes) -> bytes:
    return cell if isinstance(cell, bytes) else _utf8(cell)
