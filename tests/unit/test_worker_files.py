import os
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.arrow import arrow_schema
from reviewgen_spark.warehouse import worker_files
from reviewgen_spark.warehouse.worker_files import write_file

SCHEMA = arrow_schema(TABLES["silver_tokens"].columns)


def batch(*words: list[str | None] | None, batch_id: int = 1) -> pa.RecordBatch:
    columns = [[str(i) for i in range(len(words))], words, words, [1] * len(words), [batch_id] * len(words)]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def written(folder: Path, *batches: pa.RecordBatch, mode: int = 0o600) -> list[dict[str, object]]:
    return [row for file in write_file(iter(batches), SCHEMA, folder, 1, mode) for row in file.to_pylist()]


def test_a_file_has_all_rows_of_a_task_without_the_partition_column(tmp_path: Path) -> None:
    batches = [batch(["好", "a b"], []), batch(), batch(["x"])]
    [file] = written(tmp_path, *batches)
    path = tmp_path / str(file["path"])
    table = pq.ParquetFile(path).read()
    assert table.equals(pa.Table.from_batches(batches).drop_columns(["batch_id"]))
    assert (file["size"], file["stats"]) == (path.stat().st_size, '{"numRecords": 3}')
    assert abs(int(str(file["modified"])) - path.stat().st_mtime * 1000) < 1000


def test_a_task_without_rows_writes_no_file(tmp_path: Path) -> None:
    assert written(tmp_path, batch(), batch()) == written(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_many_batches_become_few_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = batch(["好"] * 10)
    monkeypatch.setattr(worker_files, "_GROUP_BYTES", 3 * one.nbytes)
    [file] = [row for found in write_file(iter([one] * 7), SCHEMA, tmp_path, 1, 0o600) for row in found.to_pylist()]
    metadata = pq.ParquetFile(tmp_path / file["path"]).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [3, 3, 1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (batch(None), "nulls in tokens, content_words"),
        (batch(["a", None]), "non-nullable"),
        (batch(["a"], batch_id=2), "rows of another batch than 1"),
    ],
)
def test_nulls_and_rows_of_another_batch_are_refused(tmp_path: Path, bad: pa.RecordBatch, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path, bad)


def test_a_file_gets_the_mode_of_the_setting_and_a_new_name(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        modes = {mode: written(tmp_path, batch(["a"]), mode=mode)[0]["path"] for mode in (0o600, 0o640)}
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / str(path)).stat().st_mode): path for path in modes.values()} == modes
