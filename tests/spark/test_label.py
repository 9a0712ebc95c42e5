import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from reviewgen_spark.errors import ConfigError, ModelNotFoundError, StageError
from reviewgen_spark.inference import shipping
from reviewgen_spark.inference.label import LABELS_SCHEMA, gather_windows, label_reviews
from reviewgen_spark.models.finetuning import finetune
from reviewgen_spark.models.folder import MODEL_FILES, folder_sha256
from reviewgen_spark.models.predictor import Predictor
from reviewgen_spark.sections import FinetuneSection, LabelSection
from tests.models.conftest import ASPECT_SCHEMA, BAD, GOOD, QUICK, THINGS, make_aspects, make_rows, write_corpus

INPUT = "record_id string, batch_id long, text_clean string"
SECTION = LabelSection(max_chars=200, tokens_per_batch=256)


@dataclass(frozen=True)
class Model:
    name: str
    version: int
    sha256: str
    path: Path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("label")
    corpus = write_corpus(folder / "corpus", {"train": make_rows(160, 0), "validation": make_rows(40, 1000)})
    section = FinetuneSection(
        max_tokens=32, vocabulary_size=500, epochs=3, learning_rate=3e-3, precision="float32", threads=1
    )
    finetune(corpus, "scratch:tiny", section, folder / "model", lambda line: None)
    return Model("sentiment", 3, folder_sha256(folder / "model"), folder / "model")


@dataclass(frozen=True)
class Held:
    """Stands where a broadcast does."""

    value: dict[str, bytes]


def read_files(model: Model) -> dict[str, bytes]:
    return {name: (model.path / name).read_bytes() for name in MODEL_FILES}


def make_reviews(spark: SparkSession, partitions: int = 2) -> DataFrame:
    rows: list[tuple[str, int, str | None]] = [
        (f"id{index:03d}", 7, THINGS[index % 8] + (GOOD + BAD)[index % 12] * (1 + index % 9)) for index in range(120)
    ]
    rows += [("null", 7, None), ("empty", 7, ""), ("spaces", 7, " \n"), ("long", 7, "好" * 201), ("cut", 7, "好" * 90)]
    return spark.createDataFrame(rows, INPUT).repartition(partitions)


def by_id(labels: DataFrame) -> dict[str, Row]:
    rows = labels.collect()
    found = {row.record_id: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_model_of_aspects_labels_nothing(spark: SparkSession, tmp_path: Path) -> None:
    splits = {"train": make_aspects(60, 0), "validation": make_aspects(30, 5000)}
    corpus = write_corpus(tmp_path / "corpus", splits, schema=ASPECT_SCHEMA)
    section = QUICK.model_copy(update={"tasks": ("aspect",), "epochs": 1})
    finetune(corpus, "scratch:tiny", section, tmp_path / "m", lambda line: None)
    model = Model("aspects", 1, folder_sha256(tmp_path / "m"), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"label: aspects version 1: expected .*'sentiment', got one of 'aspect'"):
        label_reviews(make_reviews(spark), model, SECTION)


def test_every_row_has_one_label_or_one_error(spark: SparkSession, model: Model) -> None:
    reviews = make_reviews(spark)
    labels = label_reviews(reviews, model, SECTION)
    assert labels.schema == spark.createDataFrame([], LABELS_SCHEMA).schema
    found = by_id(labels)
    assert set(found) == {row.record_id for row in reviews.collect()}
    errors = {key: row.error["class"] for key, row in found.items() if row.error is not None}
    assert errors == {"null": "NullText", "empty": "EmptyText", "spaces": "EmptyText", "long": "TextTooLong"}
    for key, row in found.items():
        assert (row.model_name, row.model_version, row.batch_id) == ("sentiment", 3, 7)
        assert (row.category_label, row.toxicity_score) == (None, None)
        if key in errors:
            assert (row.sentiment_label, row.sentiment_score, row.error.stage) == (None, None, "label")
            assert row.meta == Row(is_truncated=False, token_count=0)
        else:
            assert row.sentiment_label == ("positive" if row.sentiment_score >= 0.5 else "negative")
    assert found["cut"].meta == Row(is_truncated=True, token_count=32)
    assert "好" not in found["long"].error.message


def test_scores_are_those_of_the_model_alone(spark: SparkSession, model: Model) -> None:
    found = by_id(label_reviews(make_reviews(spark), model, SECTION))
    texts = {row.record_id: row.text_clean for row in make_reviews(spark).collect() if row.record_id.startswith("id")}
    alone = Predictor(model.path).score_texts(list(texts.values()))
    assert [found[key].sentiment_score for key in texts] == pytest.approx(alone, abs=1e-5)
    assert {found[key].sentiment_label for key in texts} == {"positive", "negative"}


def test_one_and_seven_partitions_agree(spark: SparkSession, model: Model) -> None:
    def run(partitions: int, window_rows: int) -> dict[str, Row]:
        section = SECTION.model_copy(update={"partitions": partitions, "window_rows": window_rows})
        return by_id(label_reviews(make_reviews(spark, partitions), model, section))

    one, seven = run(1, 1000), run(7, 5)
    for key, row in one.items():
        other = seven[key]
        assert (row.sentiment_label, row.meta, row.error) == (other.sentiment_label, other.meta, other.error)
        if row.sentiment_score is not None:
            assert row.sentiment_score == pytest.approx(other.sentiment_score, abs=1e-5)


def test_no_rows(spark: SparkSession, model: Model) -> None:
    assert label_reviews(spark.createDataFrame([], INPUT), model, SECTION).collect() == []


def test_bfloat16_stays_close(spark: SparkSession, model: Model) -> None:
    exact = by_id(label_reviews(make_reviews(spark), model, SECTION))
    rough = by_id(label_reviews(make_reviews(spark), model, SECTION.model_copy(update={"precision": "bfloat16"})))
    for key, row in exact.items():
        if row.sentiment_score is not None:
            assert rough[key].sentiment_score == pytest.approx(row.sentiment_score, abs=0.02)


def test_a_partition_without_rows_loads_nothing() -> None:
    empty = pa.RecordBatch.from_pydict({"record_id": pa.array([], pa.string())})
    assert list(gather_windows([empty, empty], 10)) == []


def test_windows_join_batches_and_lose_no_row() -> None:
    batches = [pa.RecordBatch.from_pydict({"n": list(range(at, at + 4))}) for at in (0, 4, 8, 12, 16)]
    windows = list(gather_windows(batches, 7))
    assert [window.num_rows for window in windows] == [8, 8, 4]
    assert [value for window in windows for value in window.column("n").to_pylist()] == list(range(20))


def test_a_process_loads_a_model_once_and_holds_one(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shipping.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(shipping, "_LOADED", {})
    shipped = shipping.ShippedModel(model.sha256, Held(read_files(model)))
    first = shipping.load_predictor(shipped, "auto", "float32", 1)
    assert shipping.load_predictor(shipped, "auto", "float32", 1) is first
    assert shipping.load_predictor(shipped, "auto", "bfloat16", 1) is not first
    assert len(shipping._LOADED) == 1


def test_a_spark_worker_holds_one_model_over_many_tasks(spark: SparkSession, model: Model) -> None:
    def count_loaded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from reviewgen_spark.inference.shipping import _LOADED

        for _batch in batches:
            pass
        yield pa.RecordBatch.from_pydict({"keys": ["|".join(key) for key in _LOADED] or [""]})

    for _ in range(2):
        label_reviews(make_reviews(spark, 4), model, SECTION).collect()
    held = {row["keys"] for row in spark.range(0, 8, 1, 4).mapInArrow(count_loaded, "keys string").collect()}
    assert f"{model.sha256}|cpu|float32" in held  # the model outlived the tasks that loaded it


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
    monkeypatch.setenv(shipping.CACHE_VARIABLE, str(tmp_path / "cache"))
    files = read_files(model)
    shipped = shipping.ShippedModel(model.sha256, Held(files))
    folder = shipping.local_folder(shipped)
    assert folder_sha256(folder) == model.sha256
    first = (folder / "model.safetensors").stat().st_ino
    assert (shipping.local_folder(shipped) / "model.safetensors").stat().st_ino == first
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert folder_sha256(shipping.local_folder(shipped)) == model.sha256
    with pytest.raises(StageError, match="arrived damaged"):
        shipping.local_folder(shipping.ShippedModel("0" * 64, Held(files)))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()) == [model.sha256]
