"""Tests how a model is shipped to the workers: once for each node, complete, and with retries after a crash."""

import hashlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import LabelSection
from reviewgen_spark.errors import ModelNotFoundError, StageError
from reviewgen_spark.inference.labelling.label import PRELOADED, label_batch, label_reviews
from reviewgen_spark.inference.shipping import model_cache, ship, worker
from reviewgen_spark.inference.shipping.preload import VARIABLE, preloading
from reviewgen_spark.models.classifier.model_folder import ONNX_FILE, folder_sha256
from reviewgen_spark.models.classifier.predictor import Predictor
from tests.spark.labelling import SECTION, Held, Model, by_id, make_reviews, read_files


def test_a_process_loads_a_model_once_and_keeps_only_the_last(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(model_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(worker, "_LOADED", {})
    shipped = ship.ShippedModel(model.sha256, Held(read_files(model)))
    first = worker.load_predictor(shipped, "auto", "float32", 1)
    assert worker.load_predictor(shipped, "auto", "float32", 1) is first
    before = worker.load_count()
    assert worker.load_predictor(shipped, "auto", "bfloat16", 1) is not first
    assert worker.load_predictor(shipped, "auto", "bfloat16", 1) is not first
    assert len(worker._LOADED) == 1 and worker.load_count() == before + 1


def test_a_spark_worker_keeps_a_model_across_tasks(spark: SparkSession, model: Model) -> None:
    def count_loaded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.inference.shipping.worker import _LOADED

        for _batch in batches:
            pass
        yield pa.RecordBatch.from_pydict({"keys": ["|".join(key) for key in _LOADED] or [""]})

    for _ in range(2):
        label_reviews(make_reviews(spark, 4), model, SECTION).collect()
    with preloading(spark, PRELOADED):
        loaded = spark.range(0, 8, 1, 4).mapInArrow(count_loaded, "keys string")
    keys = {row["keys"] for row in loaded.collect()}
    assert f"{model.sha256}|cpu|float32" in keys  # the model is still loaded after its tasks


def test_only_labelling_workers_are_forked_with_torch(spark: SparkSession) -> None:
    def inspect_parent(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _batch in batches:
            pass
        maps = Path(f"/proc/{os.getppid()}/maps").read_text()
        yield pa.RecordBatch.from_pydict({"parent": [f"{'libtorch' in maps} {VARIABLE in os.environ}"]})

    with preloading(spark, PRELOADED):
        labelling = spark.range(0, 1, 1, 1).mapInArrow(inspect_parent, "parent string")
    assert VARIABLE not in spark.sparkContext.environment
    plain = spark.range(0, 1, 1, 1).mapInArrow(inspect_parent, "parent string")
    assert [row.parent for row in labelling.collect()] == ["True True"]
    assert [row.parent for row in plain.collect()] == ["False False"]


def busy_seconds(model: Model) -> dict[int, float]:
    """Returns the CPU seconds of the Python workers of this session that have mapped the model, by process."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            if model.sha256 in (folder / "maps").read_text():
                seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:  # the process has ended
            continue

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return {pid: used for pid, used in seconds.items() if is_ours(pid)}


def kill_a_busy_worker(model: Model, killed: list[int], timeout_s: float = 60) -> None:
    """Sends SIGKILL to a worker that runs the model, as the kernel does when memory runs out."""
    before = busy_seconds(model)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for pid, used in busy_seconds(model).items():
            if used - before.setdefault(pid, used) > 0.3:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
        time.sleep(0.05)


def test_a_task_whose_worker_is_killed_is_retried_without_duplicate_rows(spark: SparkSession, model: Model) -> None:
    text = F.concat(F.lit("房间"), F.repeat(F.lit("很好，服务太差，"), (1 + F.col("id") % 4).cast("int")))
    ids = F.format_string("id%06d", "id").alias("record_id")
    reviews = spark.range(30_000).select(ids, F.lit(7).cast("long").alias("batch_id"), text.alias("text_clean"))
    section = LabelSection(window_rows=500)  # results of earlier windows are sent before the worker is killed
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_busy_worker, args=(model, killed))
    spark.sparkContext.setJobGroup("killed", "a worker is killed")
    killer.start()
    try:
        tables = label_batch(reviews, model, section, "print", lambda line: None)
        [metrics] = tables["ops_label_metrics"].collect()
        labelled = tables["gold_review_labels"].join(reviews, "record_id")
        counted = labelled.groupBy("text_clean").agg(
            F.count("*").alias("rows"), F.countDistinct("record_id").alias("ids"),
            F.min("sentiment_score").alias("low"), F.max("sentiment_score").alias("high"),
        ).collect()  # fmt: skip
    finally:
        killer.join()
        tracker = spark.sparkContext.statusTracker()
        stages = [i for job in tracker.getJobIdsForGroup("killed") for i in tracker.getJobInfo(job).stageIds]  # type: ignore[union-attr]
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
    assert len(killed) == 1
    assert sum(info.numFailedTasks for stage in stages if (info := tracker.getStageInfo(stage))) == 1
    assert metrics.row_count == 30_000
    alone = dict(
        zip(texts := [row.text_clean for row in counted], Predictor(model.path).score_texts(texts), strict=True)
    )
    assert len(counted) == 4
    for row in counted:
        assert row.rows == row.ids == 7_500
        assert (row.low, row.high) == pytest.approx((alone[row.text_clean],) * 2, abs=1e-5)


def test_a_node_checks_the_onnx_file(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(model_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    files = {**read_files(model), ONNX_FILE: b"a graph"}
    shipped = ship.ShippedModel(model.sha256, Held(files), beside={ONNX_FILE: hashlib.sha256(b"a graph").hexdigest()})
    folder = worker.local_folder(shipped)
    assert (folder / ONNX_FILE).read_bytes() == b"a graph"
    (folder / ONNX_FILE).write_bytes(b"damaged")
    assert (worker.local_folder(shipped) / ONNX_FILE).read_bytes() == b"a graph"
    assert worker.local_folder(ship.ShippedModel(model.sha256, Held(files))) != folder
    with pytest.raises(StageError, match="arrived damaged"):
        worker.local_folder(ship.ShippedModel(model.sha256, Held(files), beside={ONNX_FILE: "0" * 64}))


def test_a_node_fetches_a_model_once(
    spark: SparkSession, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(model_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(ship, "_SHIPPED", {})
    store = Model(model.name, model.version, model.sha256, tmp_path / "the store")  # a URI with %20
    shutil.copytree(model.path, store.path)
    shipped = ship.ship(spark, store, "localcache")
    assert (shipped.files, shipped.uri) == (None, store.uri)
    assert ship.ship(spark, store, "broadcast", broadcast_max_mb=1).files is None  # larger than 1 MB
    assert ship.ship(spark, store).files is not None
    folder = worker.local_folder(shipped)
    assert folder_sha256(folder) == model.sha256
    (store.path / "config.json").write_text("{}")  # it is not read again while the node has the model
    assert worker.local_folder(shipped) == folder
    shutil.rmtree(folder)
    with pytest.raises(StageError, match="arrived damaged"):
        worker.local_folder(shipped)
    shutil.rmtree(store.path)
    with pytest.raises(StageError, match=r"cannot be read from this executor \(FileNotFoundError\)"):
        worker.local_folder(shipped)
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_localcache_labels_all_rows(spark: SparkSession, model: Model) -> None:
    section = SECTION.model_copy(update={"weights": "localcache"})
    rows = by_id(label_reviews(make_reviews(spark), model, section))
    assert sum(row.sentiment_label is not None for row in rows.values()) == 121


def test_damaged_files_are_refused_on_the_driver(spark: SparkSession, model: Model, tmp_path: Path) -> None:
    shutil.copytree(model.path, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{}")
    damaged = Model("sentiment", 4, "0" * 64, tmp_path / "model")
    with pytest.raises(ModelNotFoundError, match="sha256 differs"):
        label_reviews(make_reviews(spark), damaged, SECTION)
    (tmp_path / "model" / "config.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"missing: config\.json"):
        label_reviews(make_reviews(spark), damaged, SECTION)


def test_a_node_keeps_one_copy_and_repairs_it(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(model_cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    files = read_files(model)
    shipped = ship.ShippedModel(model.sha256, Held(files))
    folder = worker.local_folder(shipped)
    assert folder_sha256(folder) == model.sha256
    first = (folder / "model.safetensors").stat().st_ino
    assert (worker.local_folder(shipped) / "model.safetensors").stat().st_ino == first
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert folder_sha256(worker.local_folder(shipped)) == model.sha256
    with pytest.raises(StageError, match="arrived damaged"):
        worker.local_folder(ship.ShippedModel("0" * 64, Held(files)))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()) == [model.sha256]
