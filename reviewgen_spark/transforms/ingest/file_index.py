"""Keeps where the pieces of big files are, and unpacked copies of packed ones, while the stage ingest runs.

<name>.json       the pieces of a file
<name>.content    its unpacked copy, if it is packed or in UTF-16 or UTF-32
<name>.counts     its anonymous records that came in an earlier piece, by piece
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from reviewgen_spark.config import Config
from reviewgen_spark.transforms.ingest.source_ranges import Content, Piece

_FOLDER = "_staging/ingest"  # below paths.artifacts; the runner removes it when the stage ends
_FORMAT = 1  # of the files; raised when the cutting of records changes


@dataclass(frozen=True)
class FileIndex:
    """Holds the pieces of a file in their order.

    Attributes:
        name: The name of its files; see `index_name`.
        content: What the pieces are read from.
        pieces: Those with records.
        has_counts: Whether equal anonymous records come in several pieces.
        copy_size: Bytes of the unpacked copy; None for a plain file.
    """

    name: str
    content: Content
    pieces: tuple[Piece, ...]
    has_counts: bool
    copy_size: int | None


def index_folder(config: Config) -> Path:
    """Returns the folder of indexes and copies, which need not exist."""
    return Path(config.paths.artifacts) / _FOLDER


def make_index_folder(config: Config) -> Path:
    """Creates the folder of indexes and copies, for this user or group alone."""
    folder = index_folder(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700 if config.paths.permissions == "private" else 0o770, exist_ok=True)
    return folder


def settings_hash(config: Config) -> str:
    """Returns a hash of the settings that decide how a file is cut into records, and which are equal."""
    ingest = config.ingest
    settings = [_FORMAT, ingest.source, ingest.timezone, ingest.encoding, ingest.csv_separator, ingest.max_record_bytes]
    settings += [ingest.max_unpacked_bytes, ingest.max_unpacked_ratio, str(config.timezone)]
    return _hash(settings)


def index_name(settings: str, feed_code: str, path: str, format_code: str, sha256: str) -> str:
    """Returns the name of the index of a file with these bytes, read with these settings."""
    return _hash([settings, feed_code, path, format_code, sha256])


def save_index(folder: Path, index: FileIndex) -> None:
    """Writes an index; it appears whole."""
    written = folder / f"{index.name}.{uuid.uuid4().hex}"
    written.write_bytes(orjson.dumps(asdict(index)))
    written.replace(folder / f"{index.name}.json")


def load_index(folder: Path, names: Sequence[str]) -> FileIndex | None:
    """Returns the first index of these names; None if there is none whose copy and counts are there."""
    for name in names:
        try:
            values = orjson.loads((folder / f"{name}.json").read_bytes())
            pieces = tuple(Piece(**piece) for piece in values.pop("pieces"))
            index = FileIndex(**values | {"content": Content(**values["content"]), "pieces": pieces})
            if index.copy_size is not None and Path(index.content.location).stat().st_size != index.copy_size:
                continue
            if not index.has_counts or counts_folder(folder, name).is_dir():
                return index
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def copy_file(folder: Path, name: str) -> Path:
    """Returns the path of an unpacked copy."""
    return folder / f"{name}.content"


def counts_folder(folder: Path, name: str) -> Path:
    """Returns the folder of a file's anonymous records that came in an earlier piece."""
    return folder / f"{name}.counts"


def counts_before(folder: str | None, piece: str) -> Counter[str]:
    """Returns, by hash, how many equal anonymous records the earlier pieces of the file have.

    Raises:
        OSError: the counts cannot be read.
    """
    counts: Counter[str] = Counter()
    if folder is None:
        return counts
    Path(folder).stat()
    for file in sorted(Path(folder).glob(f"piece={piece}/*.parquet")):
        table = pq.read_table(file, partitioning=None)
        counts.update(dict(zip(table["key"].to_pylist(), table["before"].to_pylist(), strict=True)))
    return counts


def piece_key(piece: Piece) -> str:
    """Returns what names a piece within its file."""
    return f"{piece.first}-{piece.skip}"


def _hash(values: Sequence[object]) -> str:
    return hashlib.blake2b(orjson.dumps(values), digest_size=16).hexdigest()
