"""Columns of Python values as an Arrow batch of a Spark schema: the way back from a worker to the JVM."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql.types import StructType


def arrow_schema(schema: StructType) -> pa.Schema:
    """The Arrow schema of a Spark one, timestamps in UTC; every column may be null, as Spark checks that on writing."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema, timestamp_utc=True)


def to_batch(columns: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """Columns by name, each a list or an Arrow array; a map is a list of pairs."""
    arrays = [
        columns[field.name] if isinstance(columns[field.name], pa.Array) else pa.array(columns[field.name], field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


_SLICE_ROWS = 128


def in_slices(
    batch: pa.RecordBatch, columns_of: Callable[[pa.RecordBatch], Mapping[str, Any]], schema: pa.Schema
) -> pa.RecordBatch:
    """`to_batch` of what `columns_of` makes of a batch, a few rows at a time.

    A batch of 4096 reviews is 400,000 words: as Python objects, all at once, they fall out of the processor's cache
    and keep the garbage collector busy, which took a third of the time.
    """
    starts = range(0, max(batch.num_rows, 1), _SLICE_ROWS)
    return pa.concat_batches([to_batch(columns_of(batch.slice(start, _SLICE_ROWS)), schema) for start in starts])
