"""Converts columns of Python values into Arrow batches of a Spark schema, on a worker."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType


@dataclass(frozen=True)
class ArrowRows:
    """Describes rows that workers make from the Arrow batches of a DataFrame.

    A table can store them as Parquet files that the workers write, without rows of the JVM (ADR 16).
    """

    source: DataFrame
    convert: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
    schema: StructType

    def frame(self) -> DataFrame:
        """Returns the rows as a DataFrame."""
        return self.source.mapInArrow(self.convert, self.schema)


def arrow_schema(schema: StructType) -> pa.Schema:
    """Returns the Arrow schema of a Spark schema, with timestamps in UTC. Spark checks nulls when it writes."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema, timestamp_utc=True)


def to_batch(columns: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """Returns a batch of columns by name. A column is a list or an Arrow array, and a map is a list of pairs."""
    arrays = [
        columns[field.name] if isinstance(columns[field.name], pa.Array) else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


_SLICE_ROWS = 128


def in_slices(
    batch: pa.RecordBatch, columns_of: Callable[[pa.RecordBatch], Mapping[str, Any]], schema: pa.Schema
) -> pa.RecordBatch:
    """Applies `columns_of` and `to_batch` to a few rows of a batch at a time.

    A batch of 4096 reviews has 400,000 words. As Python objects they do not fit into the processor's cache, and they
    slow the garbage collector, which took a third of the time.
    """
    starts = range(0, max(batch.num_rows, 1), _SLICE_ROWS)
    return pa.concat_batches([to_batch(columns_of(batch.slice(start, _SLICE_ROWS)), schema) for start in starts])
