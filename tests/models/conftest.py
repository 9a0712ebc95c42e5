"""Makes small corpora and models with random weights, in seconds and without downloads."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reviewgen_spark.config import FinetuneSection
from reviewgen_spark.models.data.corpus import POLARITIES
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.training.finetuning import FinetuneResult, finetune

GOOD = ("很好", "不错", "喜欢", "满意", "great", "推荐")
BAD = ("太差", "失望", "退货", "难用", "terrible", "后悔")
THINGS = ("房间", "手机", "屏幕", "这本书", "服务", "物流", "包装", "电池")

QUICK = FinetuneSection(
    max_tokens=16, vocabulary_size=500, epochs=2, batch_size=16, learning_rate=3e-3, precision="float32", threads=1
)


def make_rows(count: int, start: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for index in range(start, start + count):
        label = index % 2
        words = (GOOD if label else BAD)[index // 2 % 6], THINGS[index // 12 % 8], THINGS[index // 7 % 8]
        rows.append(
            {
                "record_id": f"r{index * 7919 % 10_007:05d}",
                "text": f"{words[1]}{words[0]}，{words[2]}{words[0]}{'。' * (index % 5)}",
                "label": label,
                "category": ("书", "酒店")[index % 3 == 0],
                "rating": None if index % 10 == 0 else (5 if label else 1),
                "lang_code": "zh",
            }
        )
    return rows


SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("text", pa.string()),
        ("label", pa.int32()),
        ("category", pa.string()),
        ("rating", pa.int32()),
        ("lang_code", pa.string()),
        ("sentiment", pa.string()),
        ("toxicity", pa.string()),
    ]
)


def write_corpus(
    folder: Path, splits: dict[str, list[dict[str, object]]], shards: int = 2, schema: pa.Schema = SCHEMA
) -> Path:
    for split, rows in splits.items():
        (folder / split).mkdir(parents=True)
        for shard in range(shards):
            table = pa.Table.from_pylist(rows[shard::shards], schema=schema)
            pq.write_table(table, folder / split / f"part-{shard}.parquet")
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": "corpus-1"}))
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(
        tmp_path_factory.mktemp("corpus"),
        {"train": make_rows(160, 0), "validation": make_rows(40, 1000), "test": make_rows(40, 2000)},
    )


def make_aspects(count: int, start: int) -> list[dict[str, object]]:
    """Returns three rows for each text: quality is positive or negative, price is negative, colour is neutral.

    The polarity follows neither from the text alone nor from the aspect alone.
    """
    rows: list[dict[str, object]] = []
    for index in range(start, start + count // 3):
        is_high = index % 2 == 1
        for aspect, polarity in (("价格", 0), ("质量", 2 if is_high else 0), ("颜色", 1)):
            rows.append(
                {
                    "record_id": f"r{index:05d}",
                    "text": f"{THINGS[index // 2 % 8]}很{'高' if is_high else '低'}，{THINGS[index // 16 % 8]}",
                    "aspect": aspect,
                    "polarity": POLARITIES[polarity],
                    "category": ("书", "酒店")[index % 3 == 0],
                    "rating": None,
                    "lang_code": "zh",
                }
            )
    return rows


ASPECT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("record_id", "text", "aspect", "polarity", "category")]
    + [("rating", pa.int32()), ("lang_code", pa.string())]
)


@pytest.fixture(scope="session")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    return finetune(corpus, "scratch:tiny", QUICK, tmp_path_factory.mktemp("model"), lambda line: None)


@pytest.fixture
def make_scores() -> Callable[[float], list[Score]]:
    return lambda f1: [Score("model", "test", "all", "f1", f1, f1 - 0.01, f1 + 0.01, 40)]
