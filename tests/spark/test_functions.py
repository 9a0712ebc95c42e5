"""Tests that SQL functions agree with the stages, use one version, and load no model if they are not used."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import mlflow.pyfunc
import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.inference.labelling.label import label_reviews
from reviewgen_spark.models.registry.registry import resolve
from reviewgen_spark.serving.sql.functions import FUNCTIONS, MASK, SENTIMENT, TOKENS, register_functions, register_named
from reviewgen_spark.serving.sql.shell import Shell
from reviewgen_spark.transforms.clean import clean_reviews
from reviewgen_spark.transforms.dictionaries import driver_dictionaries
from reviewgen_spark.transforms.tokens import cut_reviews
from tests.spark.conftest import Table
from tests.spark.labelling import by_id

TEXTS = (
    "房间很好，手机不錯！！！！！！",
    "<b>太差了</b>，退貨，電話１３８００００００００，多次致电无人接听",
    "I like it, great phone，屏幕推荐",
    "后悔，难用。wechat: my_name_77",
    "好坏" * 45,
    "好坏" * 101,
    "[PHONE]满意",
    "",
    " \n ",
    None,
)


@pytest.fixture
def config(registry_root: Path) -> Config:
    return load_config("local", [f"paths.root={registry_root}", "label.max_chars=200"])


@pytest.fixture(autouse=True)
def _without_functions(spark: SparkSession) -> Iterator[None]:
    """Removes the functions from the session after each test."""
    yield
    for name in FUNCTIONS:
        spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {name}")


@pytest.fixture
def reviews(table: Table, spark: SparkSession, config: Config) -> DataFrame:
    """Returns the texts before and after cleaning."""
    bronze = table(
        "bronze_reviews", *({"record_id": f"{index:03d}", "text_raw": text} for index, text in enumerate(TEXTS * 3))
    )
    cleaned = clean_reviews(bronze, config.clean, b"k" * 32).select("record_id", "text_clean", "batch_id")
    return cleaned.join(bronze.select("record_id", "text_raw"), on="record_id", how="inner").repartition(2).cache()


def test_the_functions_agree_with_the_stages(spark: SparkSession, config: Config, reviews: DataFrame) -> None:
    assert register_functions(spark, config) == list(FUNCTIONS)
    reviews.createOrReplaceTempView("texts")
    model = resolve("review_sentiment", "champion", config.paths.tracking_uri)
    labels = by_id(label_reviews(reviews, model, config.label))
    words = by_id(cut_reviews(reviews, config.tokens, driver_dictionaries()).frame())
    rows_read = spark.sql(
        f"SELECT record_id, text_raw, text_clean, {SENTIMENT}(text_raw) AS raw, {SENTIMENT}(text_clean) AS clean, "
        f"{TOKENS}(text_raw) AS tokens, {MASK}(text_raw) AS mask, {MASK}(text_clean) AS mask_twice FROM texts"
    ).collect()
    assert len(rows_read) == len(TEXTS) * 3
    for row in rows_read:
        label = labels[row.record_id]
        if row.text_raw is None:
            assert (row.raw, row.clean, row.tokens, row.mask) == (None, None, None, None)
            continue
        for answer in (row.raw, *([row.clean] if row.text_clean else [])):
            assert (answer.label, answer.model_version) == (label.sentiment_label, 1)
            assert answer.error == (label.error and label.error["class"])
            assert answer.score == (label.sentiment_score and pytest.approx(label.sentiment_score, abs=1e-5))
        assert row.tokens == words[row.record_id].tokens
        assert (row.mask, row.mask_twice) == (row.text_clean, row.text_clean)
    assert {row.raw.label for row in rows_read if row.raw} == {"positive", "negative", None}
    assert {row.raw.error for row in rows_read if row.raw} == {"NullText", "TextTooLong", None}
    assert not any("1380000" in row["mask"] for row in rows_read if row["mask"])


def test_the_udf_of_mlflow_agrees_with_the_function(
    spark: SparkSession, config: Config, reviews: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", config.paths.tracking_uri)
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    register_functions(spark, config)
    kind = "sentiment_label string, sentiment_score double"
    theirs = mlflow.pyfunc.spark_udf(spark, "models:/review_sentiment@champion", kind, env_manager="local")
    readable = reviews.where(F.length("text_clean").between(1, 200))
    rows = readable.select(theirs(F.col("text_clean")).alias("theirs"), F.expr(f"{SENTIMENT}(text_clean)").alias("own"))
    rows_read = rows.collect()
    assert len(rows_read) == 18
    for row in rows_read:
        assert row.theirs.sentiment_label == row.own.label
        assert row.theirs.sentiment_score == pytest.approx(row.own.score, abs=1e-5)


def test_a_version_is_pinned_or_refused(spark: SparkSession, config: Config) -> None:
    with pytest.raises(ModelNotFoundError, match="reviewgen run train"):
        register_functions(spark, config, version=9)
    register_functions(spark, config, version=1)
    assert spark.sql(f"SELECT {SENTIMENT}('很好').model_version AS v").collect() == [Row(v=1)]


def test_functions_accept_no_rows(spark: SparkSession, config: Config) -> None:
    register_functions(spark, config)
    nothing = spark.createDataFrame([], "text string")
    assert nothing.select(*(F.expr(f"{name}(text)") for name in FUNCTIONS)).collect() == []


def test_without_a_champion_only_the_sentiment_function_fails(spark: SparkSession, make_config: type) -> None:
    empty: Config = make_config()
    register_functions(spark, empty)
    assert spark.sql(f"SELECT {TOKENS}('手机不错') AS t").collect() == [Row(t=["手机", "不错"])]
    with pytest.raises(PythonException, match="reviewgen run train"):
        spark.sql(f"SELECT {SENTIMENT}('很好')").collect()


def test_only_functions_that_a_query_uses_are_registered(
    spark: SparkSession, config: Config, make_config: type
) -> None:
    empty: Config = make_config()
    assert register_named(spark, empty, "SELECT 1 AS my_reviewgen_sentiment_x") == []
    assert register_named(spark, empty, "SELECT Reviewgen_Mask('x'), reviewgen_tokens ('x')") == [TOKENS, MASK]
    assert register_named(spark, empty, "SELECT reviewgen_mask('x')") == []
    with pytest.raises(ModelNotFoundError, match="reviewgen run train"):
        register_named(spark, empty, f"SELECT {SENTIMENT}('x')")
    assert register_named(spark, config, f"SELECT {SENTIMENT}('x')") == [SENTIMENT]


def test_the_shell_registers_the_functions_that_a_line_uses(
    spark: SparkSession, config: Config, make_config: type, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"print(spark.sql(\"SELECT {SENTIMENT}('很好').model_version AS v\").collect()[0].v)"
    assert not Shell(spark, make_config()).push(line)
    shown = capsys.readouterr()
    assert shown.out == "" and "reviewgen run train" in shown.err and "Traceback" not in shown.err
    assert not Shell(spark, config).push(line)
    assert capsys.readouterr().out == "1\n"


def test_a_query_without_functions_loads_no_model(tmp_path: Path) -> None:
    code = (
        "import sys; from reviewgen_spark.cli import main; "
        f"code = main(['sql', 'SELECT 1 AS one', '--set', 'paths.root={tmp_path}']); "
        "print(code, {'torch', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
    assert not (tmp_path / "mlflow").exists()
