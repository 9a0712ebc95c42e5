from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as FastTokenizer

from reviewgen_spark.config import EvaluateSection
from reviewgen_spark.errors import ConfigError, DataQualityError, SchemaError
from reviewgen_spark.models.bases.wordpiece import train_wordpiece
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.data.corpus import read_aspects, read_split
from reviewgen_spark.models.evaluation.baselines import fit_majority_class, fit_tfidf_classes
from reviewgen_spark.models.evaluation.evaluation import evaluate, find_score, join_aspects
from reviewgen_spark.models.registry.registration import register
from reviewgen_spark.models.training.finetuning import FinetuneResult, finetune

from .conftest import ASPECT_SCHEMA, QUICK, make_aspects, make_rows, write_corpus

SECTION = QUICK.model_copy(update={"tasks": ("aspect",), "epochs": 4, "max_tokens": 24})
EVALUATE = EvaluateSection(bootstrap_samples=100)


@pytest.fixture(scope="module")
def aspects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = {"train": make_aspects(480, 0), "validation": make_aspects(90, 5000), "test": make_aspects(120, 7000)}
    return write_corpus(tmp_path_factory.mktemp("aspects"), splits, schema=ASPECT_SCHEMA)


@pytest.fixture(scope="module")
def model(aspects: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    return finetune(aspects, "scratch:tiny", SECTION, tmp_path_factory.mktemp("model"), lambda line: None)


def test_the_prediction_depends_on_the_aspect(model: FinetuneResult, aspects: Path) -> None:
    predictor, test = Predictor(model.folder), read_aspects(aspects, "test")
    assert test.aspects is not None and test.labels.max() == 2
    probabilities = predictor.score_pairs(test.texts, test.aspects)
    assert probabilities.shape == (120, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == test.labels).mean() > 0.95
    shifted = test.aspects[1:] + test.aspects[:1]  # each text with the aspect of another row
    assert (predictor.score_pairs(test.texts, shifted).argmax(axis=1) == test.labels).mean() < 0.6
    small = predictor.score_pairs(test.texts, test.aspects, tokens_per_batch=64)
    np.testing.assert_allclose(small, probabilities, atol=1e-5)


def test_the_best_epoch_has_the_macro_f1_of_evaluate(model: FinetuneResult, aspects: Path) -> None:
    (head,) = Predictor(model.folder).settings.heads
    assert (head.task, head.labels, head.temperature) == ("aspect", ("negative", "neutral", "positive"), 1.0)
    scores = evaluate(model.folder, aspects, EVALUATE, splits=("validation",), baselines=False)
    assert find_score(scores, "f1_macro", "validation") == pytest.approx(model.validation_f1)
    assert find_score(scores, "accuracy", "validation") == pytest.approx(
        model.curve[model.best_epoch - 1]["validation_accuracy"]
    )


def test_scores_include_baselines_and_categories(model: FinetuneResult, aspects: Path) -> None:
    scores = evaluate(model.folder, aspects, EVALUATE, splits=("test",))
    assert {score.model for score in scores} == {"model", "tfidf_logistic", "majority"}
    assert {score.metric for score in scores} == {"accuracy", "f1_macro"}
    assert {score.slice_name for score in scores} == {"all", "category=书", "category=酒店"}
    by_slice = {s.slice_name: s.rows for s in scores if s.model == "model" and s.metric == "accuracy"}
    assert by_slice["category=书"] + by_slice["category=酒店"] == by_slice["all"] == 120
    assert find_score(scores, "accuracy", model="majority") == 0.5  # negative: the price, and low quality
    assert (
        find_score(scores, "f1_macro", model="tfidf_logistic") > 0.9 > find_score(scores, "f1_macro", model="majority")
    )
    whole = next(score for score in scores if (score.model, score.metric) == ("model", "f1_macro"))
    assert whole.low is not None and whole.high is not None and whole.low <= whole.value <= whole.high


def test_baselines_predict_classes() -> None:
    texts, labels = ["好好好", "差差差", "一般般", "好好"] * 3, np.array([2, 0, 1, 2] * 3)
    assert fit_majority_class(labels)(["a", "b"]).tolist() == [2, 2]
    assert fit_tfidf_classes(texts, labels, 1)(["好好好", "差差差", "一般般"]).tolist() == [2, 0, 1]


def test_a_pair_is_encoded_with_its_template_and_the_text_is_truncated(tmp_path: Path) -> None:
    backend: FastTokenizer = train_wordpiece(["屏幕很好", "电池太差"] * 2, 500)
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer, (cls, sep) = Tokenizer(tmp_path / "tokenizer.json", 8), map(backend.token_to_id, ("[CLS]", "[SEP]"))
    screen = [backend.token_to_id(piece) for piece in "屏幕"]
    (pair,) = tokenizer.encode(["很好"], ["屏幕"])
    good = [backend.token_to_id(piece) for piece in "很好"]
    assert pair.ids == [cls, *good, sep, *screen, sep]
    assert pair.types == [0, 0, 0, 0, 1, 1, 1] and not pair.is_truncated
    (long,) = tokenizer.encode(["很好" * 20], ["屏幕"])
    assert long.ids == [cls, *good, good[0], sep, *screen, sep] and long.is_truncated
    (cut,) = tokenizer.encode(["很好" * 20], ["屏幕" * 20])  # an aspect that is too long is truncated too
    assert len(cut.ids) == 8 and cut.ids.count(sep) == 2 and cut.types.count(1) == 4


def test_rows_per_label_and_held_out_categories_reduce_the_rows(aspects: Path, tmp_path: Path) -> None:
    few = SECTION.model_copy(update={"rows_per_label": 8, "epochs": 1})
    assert finetune(aspects, "scratch:tiny", few, tmp_path / "few", lambda line: None).train_rows == 24
    apart = SECTION.model_copy(update={"held_out_categories": ("酒店",), "epochs": 1})
    train = read_aspects(aspects, "train")
    expected = int((train.columns["category"] == "书").sum())
    assert finetune(aspects, "scratch:tiny", apart, tmp_path / "apart", lambda line: None).train_rows == expected


def test_rows_have_the_same_order_for_any_shards(aspects: Path, tmp_path: Path) -> None:
    rows = make_aspects(480, 0)
    resharded = write_corpus(tmp_path / "c", {"train": rows[::-1]}, shards=3, schema=ASPECT_SCHEMA)
    assert join_aspects(read_aspects(resharded, "train")) == join_aspects(read_aspects(aspects, "train"))


def test_a_corpus_of_another_task_is_refused(aspects: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"lacks the columns \['aspect', 'polarity'\].* run the corpus stage again"):
        finetune(corpus, "scratch:tiny", SECTION, tmp_path / "m", lambda line: None)
    with pytest.raises(SchemaError, match=r"lacks the columns \['label'\]"):
        read_split(aspects, "train")
    one = [row for row in make_aspects(60, 0) if row["aspect"] == "颜色"]
    odd = [{**row, "polarity": "good"} for row in make_aspects(60, 0)]
    bad = write_corpus(tmp_path / "bad", {"train": one, "validation": odd, "test": []}, schema=ASPECT_SCHEMA)
    with pytest.raises(DataQualityError, match="has 20 rows with an aspect, of 1 polarities"):
        read_aspects(bad, "train")
    with pytest.raises(SchemaError, match=r"polarity must be .*, got \['good'\]"):
        read_aspects(bad, "validation")
    with pytest.raises(DataQualityError, match="has 0 rows"):
        read_aspects(bad, "test")


def test_aspect_and_sentiment_models_are_not_interchangeable(
    model: FinetuneResult, trained: FinetuneResult, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"score a text alone: expected .*'sentiment', got one of 'aspect'"):
        Predictor(model.folder).score_texts(["价格很高"])
    store = f"sqlite:///{tmp_path}/m.db"
    with pytest.raises(ConfigError, match=r"register: .*'aspect'.* --until evaluate"):
        register(model.folder, [], "f", {}, {}, "sentiment", store, tmp_path, lambda champion: (True, ""))
    assert not (tmp_path / "m.db").exists()
    with pytest.raises(ConfigError, match=r"got one of 'sentiment'; train one with finetune\.tasks=\[aspect\]"):
        Predictor(trained.folder).score_pairs(["价格很高"], ["价格"])


def test_a_sentiment_model_can_be_the_base_of_an_aspect_model(tmp_path: Path) -> None:
    """The encoder is reused, and the head with three labels is new."""
    sentiment = write_corpus(tmp_path / "s", {"train": make_rows(60, 0), "validation": make_rows(20, 1000)})
    pairs = write_corpus(
        tmp_path / "p", {"train": make_aspects(60, 0), "validation": make_aspects(30, 5000)}, schema=ASPECT_SCHEMA
    )
    once = QUICK.model_copy(update={"epochs": 1})
    first = finetune(sentiment, "scratch:tiny", once, tmp_path / "first", lambda line: None)
    second = finetune(
        pairs, str(first.folder), SECTION.model_copy(update={"epochs": 1}), tmp_path / "second", lambda line: None
    )
    assert Predictor(second.folder).score_pairs(["价格很高"], ["价格"]).shape == (1, 3)
