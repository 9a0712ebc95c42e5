"""Tests the parts of the benchmarks that define a figure; the benchmarks themselves do not run here."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop("turns", None)
    import turns

    return turns


@pytest.fixture
def spliced(turns: ModuleType) -> ModuleType:
    import spliced

    return spliced


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    import corpora

    return corpora


@pytest.fixture
def finetune_methods(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    import finetune_methods

    return finetune_methods


def test_a_contestant_returns_its_seconds_or_fails(turns: ModuleType, tmp_path: Path) -> None:
    from reviews import write_bronze

    write_bronze(tmp_path / "rows", 40)
    arguments = ("--rows", str(tmp_path / "rows"), "--line")
    assert turns.Contestant("floor", "pure_text.py", (*arguments, "floor")).run(tmp_path / "out")["seconds"] > 0
    with pytest.raises(RuntimeError, match="floor: exit code 2"):
        turns.Contestant("floor", "pure_text.py", (*arguments, "nothing")).run(tmp_path / "out")


def test_a_report_has_its_bars_and_is_written(turns: ModuleType, tmp_path: Path) -> None:
    bars = [turns.bar("speed", 2.5, 3), turns.bar("growth", 11, 12, at_most=True)]
    assert [item["holds"] for item in bars] == [False, True]
    turns.conclude("B0", 10, "rows", bars, tmp_path / "new" / "b0.json", full=False, more=1)
    assert json.loads((tmp_path / "new" / "b0.json").read_text())["bars"][0]["value"] == 2.5
    assert turns.median([{"seconds": 3}, {"seconds": 1}, {"seconds": 2}]) == 2


@pytest.mark.parametrize("rows", [500, 2_000])
def test_spliced_rows_have_the_same_shares_at_every_size(spliced: ModuleType, rows: int) -> None:
    rows_made = list(spliced.spliced_rows(rows))
    sizes: dict[int, int] = {}
    for row in rows_made:
        if row.cluster >= 0:
            sizes[row.cluster] = sizes.get(row.cluster, 0) + 1
    copies = sum(sizes.values()) - len(sizes)
    assert len(rows_made) == rows and copies / rows == pytest.approx(spliced.COPY_SHARE, abs=0.02)
    assert sum(size == 2 for size in sizes.values()) / len(sizes) == pytest.approx(0.6, abs=0.06)
    hot = [row.text for row in spliced.spliced_rows(rows, hot=True)]
    assert max(hot.count(text) for text in set(hot)) == round(rows * spliced.HOT_SHARE)


def test_aspects_of_a_text_share_a_split_and_contradictory_ones_are_dropped(
    corpora: ModuleType, tmp_path: Path
) -> None:
    from reviewgen_spark.models.data.corpus import read_aspects

    opinions = ("很好用，我非常喜欢它的做工", "太差，用了一天就坏掉了", "还行，没有什么特别的地方")
    texts = [
        f"{thing}第{number}版{opinion}" for number in range(40) for thing in ("键盘", "鼠标") for opinion in opinions
    ]
    items = [(f"{text}，价格$T$", "偏高", "Negative") for text in texts]
    items += [(f"{text}，$T$偏高", "价格", "Neutral") for text in texts]
    items += [("只有一个词：$T$", "电池", polarity) for polarity in ("Positive", "Negative")]
    (tmp_path / "absa_en").mkdir()
    for name in ("Laptops", "Restaurants"):
        lines = [line for item in (items if name == "Laptops" else items[:3]) for line in item]
        (tmp_path / "absa_en" / f"{name}_Train.xml.seg").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = list(corpora.absa_en(tmp_path))
    assert rows[0].text == f"{texts[0]}，价格偏高" and rows[0].polarity == "negative"
    counts = corpora.write_aspect_corpus("made", rows, tmp_path / "out")
    assert counts.read == len(items) + 3 and counts.contradicted == 1  # the second is a repeated pair: a copy
    assert sum(counts.by_split.values()) + counts.copies + counts.contradicted + counts.empty == counts.read
    corpus = {split: read_aspects(tmp_path / "out", split) for split in ("train", "test")}
    train, test = (set(corpus[split].texts) for split in ("train", "test"))
    assert train and test and not train & test
    assert all(sum(text == other for other in corpus["train"].texts) == 2 for text in train)  # both aspects
    assert not any("电池" in text for text in train | test)


def test_a_table_compares_the_training_methods(finetune_methods: ModuleType) -> None:
    def facts(task: str, metric: str) -> dict[str, object]:
        scores = [
            {
                "model": model,
                "split": split,
                "slice_name": "all",
                "metric": metric,
                "value": value,
                "low": 0.5,
                "high": 1,
            }
            for model, split, value in (("model", "validation", 0.8), ("model", "test", 0.7), ("majority", "test", 0.1))
        ]
        settings = {"tasks": [task], "learning_rate": 0.002}
        sizes = {"parameters": 1000, "trained_parameters": 50, "seconds": 7, "peak_memory_mb": 900, "best_epoch": 2}
        return {"settings": settings, "scores": scores, **sizes}

    lines = finetune_methods.table_of({"full": facts("sentiment", "f1"), "lora": facts("sentiment", "f1")})
    assert len(lines) == 4 and "validation F1 [95 %]" in lines[0]
    assert lines[3] == "| lora | 0.002 | 50 (5.0 %) | 7 | 900 | 2 | 0.8000 [0.5000, 1.0000] | 0.7000 [0.5000, 1.0000] |"
    assert "test macro F1" in finetune_methods.table_of({"full": facts("aspect", "f1_macro")})[0]


def test_speeds_of_others_are_projected_to_our_row_count(turns: ModuleType) -> None:
    from b3_label import rows_per_s

    # 10 s to start and 0.1 s a row: 1,000 rows take 110 s, 500 take 60
    assert rows_per_s(1_000, 110, 60, at=10_000) == pytest.approx(10_000 / 1_010)
    # if noise makes the cost of a row or of the start negative, the measured speed is used
    assert rows_per_s(1_000, 110, 120, at=10_000) == pytest.approx(1_000 / 110)
    assert rows_per_s(1_000, 110, 40, at=10_000) == pytest.approx(1_000 / 110)


def test_model_calls_are_counted_before_the_model_returns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from reviewgen_spark.inference.labelling.batching import score_window
    from reviewgen_spark.models.classifier.tokenizer import Tokens

    monkeypatch.syspath_prepend(str(FOLDER / "contestants"))
    import counting_daemon

    monkeypatch.setenv(counting_daemon.FOLDER, str(tmp_path))

    def answer(rows: list[list[int]]) -> list[object]:
        assert counting_daemon.count_calls(tmp_path) > 0
        raise RuntimeError("killed")

    def encode(texts: list[str]) -> list[Tokens]:
        return [Tokens([1, 2, 3], [0, 0, 0], False, False) for _ in texts]

    window = {"texts": ["好", None, "坏"], "record_ids": ["a", "b", "c"], "encode": encode, "max_chars": 9,
             "tokens_per_batch": 64}  # fmt: skip
    counting = counting_daemon.counted(score_window)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="killed"):
            counting(score=answer, **window)
    assert counting_daemon.count_calls(tmp_path) == 4  # two readable rows, twice


def test_six_of_twenty_kills_are_in_stages_other_than_label(turns: ModuleType) -> None:
    import random

    from b7_kill import differing, plan_trials, remaining

    stages = [step.stage for step in plan_trials(20, random.Random(1))]
    assert {stage: stages.count(stage) for stage in set(stages)} == {
        "label": 14, "ingest": 2, "dedup": 2, "register": 1, "satisfaction": 1,
    }  # fmt: skip
    rest = remaining(plan_trials(20, random.Random(2)), [*["label"] * 13, "ingest", "ingest", "dedup"])
    assert sorted(step.stage for step in rest) == ["dedup", "label", "register", "satisfaction"]
    for trials in (2, 5, 10):
        few = [step.stage for step in plan_trials(trials, random.Random(1))]
        assert len(few) == trials and 0 < sum(stage != "label" for stage in few) <= 3
    assert differing({"a": "1 x", "b": "2 y"}, {"a": "1 x", "b": "2 z", "c": "0"}) == ["b", "c"]


def test_rouge_agrees_with_fewsum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from rouge import rouge

    # prices and priced have one stem; case and punctuation do not count; 5 and 4 words share 3 words and 1 pair
    scores = rouge("The food is low-priced!", ["Prices of the food"])
    assert scores == pytest.approx((2 * 3 / 9, 2 * 1 / 7, 2 * 2 / 9))
    assert rouge("", ["the food"]) == (0, 0, 0)
    two = rouge("The food is low-priced!", ["Prices of the food", "the food is low priced"])
    assert two.rouge1 == pytest.approx((2 * 3 / 9 + 1) / 2)


def test_an_opinion_is_reversed_if_the_word_lists_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop("summaries", None)
    from summaries import reverse_opinion

    from reviewgen_spark.config import TokensSection
    from reviewgen_spark.text.opinions.aspects import OpinionReader
    from reviewgen_spark.transforms.dictionaries import driver_dictionaries

    reader = OpinionReader(TokensSection(), driver_dictionaries())
    assert reverse_opinion("The food is good.", reader) == "The food is bad."
    assert reverse_opinion("The food came late.", reader) is None
