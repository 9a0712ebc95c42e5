"""Recognises packed files by their first bytes, and reads what is packed in them."""

import bz2
import gzip
import io
import lzma
import zlib
from typing import IO, Any

import pyarrow as pa

HEAD_BYTES = 512
_MAGIC: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"LZ4Block": "lz4 blocks",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PAR1": "parquet",
    b"SQLite format 3\x00": "sqlite",
}
_CLOSED: dict[bytes, str] = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"\x82SNAPPY\x00": "snappy",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"ARROW1": "Arrow",
    b"PARE": "encrypted Parquet",
    b"%PDF-": "PDF",
    b"\x1f\x9d": "compress",
    b"\x89HDF": "HDF5",
}
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)


def kind_of(head: bytes) -> str:
    """Returns the kind of a file by its first bytes; an empty string for one that is not packed.

    >>> kind_of(b"PAR1..."), kind_of(b"text")
    ('parquet', '')
    """
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")


def closed_kind_of(head: bytes) -> str:
    """Returns the kind of a packed file that cannot be unpacked here; an empty string for all others."""
    return next((kind for magic, kind in _CLOSED.items() if head.startswith(magic)), "")


def unpack(kind: str, stream: io.BufferedReader) -> Any:
    """Returns the content of a compressed stream, as a file with `read`."""
    if kind == "gzip":
        return gzip.GzipFile(fileobj=stream)
    if kind == "bz2":
        return bz2.BZ2File(stream)
    if kind == "xz":
        return lzma.LZMAFile(stream)
    if kind == "lz4 blocks":
        return Lz4Blocks(stream)
    return pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), kind)


class Lz4Blocks:
    """Reads blocks of LZ4 as Spark writes them into shuffle and spill files, several streams in one file too."""

    _HEADER = len(b"LZ4Block") + 13  # how it is packed, both sizes, a checksum

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Returns the content of the next blocks, at least `size` bytes if there are as many."""
        blocks, total = [], 0
        while size < 0 or total < size:
            header = self._stream.read(self._HEADER)
            if not header:
                break
            if len(header) < self._HEADER or not header.startswith(b"LZ4Block"):
                raise EOFError
            packed_size, plain_size = (int.from_bytes(header[n : n + 4], "little") for n in (9, 13))
            content = self._stream.read(packed_size)
            if len(content) < packed_size:
                raise EOFError
            if plain_size and header[8] & 0xF0 == 0x20:
                content = pa.decompress(content, decompressed_size=plain_size, codec="lz4_raw", asbytes=True)
            blocks.append(content)
            total += len(content)
        return b"".join(blocks)


class RawReader(io.RawIOBase):
    """Makes a raw stream of anything with `read`, so that its first bytes can be looked at."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._rest = b""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads up to as many bytes as the buffer holds."""
        content = self._rest or self._source.read(len(buffer))
        taken = content[: len(buffer)]
        self._rest = content[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
