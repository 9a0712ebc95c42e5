"""Replaces a batch of a table by Parquet files that the workers write, and commits them by delta-rs (ADR 16).

Spark makes a row of the JVM from every Arrow batch, and columns again from the rows. For lists of words that costs more
than the Parquet file. Here the rows stay in Arrow, and Spark gets one row a file.
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reviewgen_spark.errors import DamagedTableError
from reviewgen_spark.schemas.arrow import ArrowRows, arrow_schema
from reviewgen_spark.warehouse.delta_log import DeltaLog

FILES = "path string, size long, modified long, stats string"
"""Columns of the rows of `write_file`."""
_GROUP_BYTES = 32 << 20  # a row group; the memory of a worker


def can_workers_write(log: DeltaLog) -> bool:
    """Returns whether a table is in a shared folder and demands no more of a writer than NOT NULL columns.

    CHECK constraints, column mapping, change data and deletion vectors need a higher version of the protocol.
    """
    return log.is_mounted and int(log.stored().protocol().min_writer_version) <= 2


def replace_batch_by_workers(log: DeltaLog, rows: ArrowRows, batch_id: int) -> tuple[int, int]:
    """Replaces one batch in one commit; returns the version, and the number of rows.

    A kill before the commit leaves files that no version has; VACUUM deletes them. The commit fails if any other commit
    came after the start, so two runs never both add a batch.

    Raises:
        DamagedTableError: When the driver does not see a file that a worker wrote.
        deltalake.exceptions.CommitFailedError: When another commit came between.
    """
    from deltalake import CommitProperties
    from deltalake.transaction import AddAction

    stored = log.stored()
    folder = Path(log.path, f"batch_id={batch_id}")
    folder.mkdir(exist_ok=True)
    configuration: Any = log.spark._jsc.hadoopConfiguration()
    mode = 0o666 & ~int(configuration.get("fs.permissions.umask-mode", "022"), 8)  # the mode of Spark's files
    convert, schema = rows.convert, arrow_schema(rows.schema)

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from write_file(convert(batches), schema, folder, batch_id, mode)

    files = rows.source.mapInArrow(write, FILES).collect()
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            raise DamagedTableError(
                f"{path}: a worker wrote it, but the driver cannot read it; do they share the folder?"
            )
    if not files and not stored.file_uris(file_pruning_predicate=f"batch_id = {batch_id}"):
        return int(stored.version()), 0
    partition = {"batch_id": str(batch_id)}
    adds = [
        AddAction(f"{folder.name}/{file.path}", file.size, partition, file.modified, True, file.stats) for file in files
    ]
    stored.create_write_transaction(
        adds,
        "overwrite",
        stored.schema(),
        list(partition),
        [("batch_id", "=", partition["batch_id"])],
        commit_properties=CommitProperties(max_commit_retries=0),
    )
    # `stored` keeps its version. Without retries the commit is the next one.
    return int(stored.version()) + 1, sum(json.loads(file.stats)["numRecords"] for file in files)


def write_file(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path, batch_id: int, mode: int
) -> Iterator[pa.RecordBatch]:
    """Writes the rows of a task into a new Parquet file without `batch_id`, and yields what Delta's log says of it.

    Without rows there is no file.

    Raises:
        ValueError: When a row is of another batch, or null in a column that is NOT NULL.
    """
    import pyarrow.parquet as pq

    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return
    name, row_count = f"part-{uuid.uuid4()}.zstd.parquet", 0
    columns = pa.schema([field for field in schema if field.name != "batch_id"])
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with (
        os.fdopen(descriptor, "wb") as file,
        pq.ParquetWriter(file, columns, compression="zstd", store_schema=False) as writer,
    ):
        for group in _row_groups(chain([first], filled)):
            _require_fit(group, batch_id)
            writer.write_table(group.drop_columns(["batch_id"]))
            row_count += group.num_rows
    status = (folder / name).stat()
    # No smallest and largest values: those of a hash skip nothing, and those of a text would quote it.
    stats = json.dumps({"numRecords": row_count})
    values = [name, status.st_size, int(status.st_mtime * 1000), stats]
    yield pa.RecordBatch.from_arrays([pa.array([value]) for value in values], ["path", "size", "modified", "stats"])


def _require_fit(rows: pa.Table, batch_id: int) -> None:
    nulls = [field.name for field in rows.schema if not field.nullable and rows[field.name].null_count]
    if nulls:  # the Parquet writer refuses nulls in lists, but makes a null list an empty one
        raise ValueError(f"nulls in {', '.join(nulls)}")
    if pc.any(pc.not_equal(rows["batch_id"], batch_id)).as_py():
        raise ValueError(f"rows of another batch than {batch_id}")


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        group.append(batch)
        size += batch.nbytes
        if size >= _GROUP_BYTES:
            yield pa.Table.from_batches(group)
            group, size = [], 0
    if group:
        yield pa.Table.from_batches(group)
