"""Tests generator folders, decoders from bases, and fine-tuning on requests."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from reviewgen_spark.config import (
    DecodingSection,
    EvaluateGeneratorSection,
    FinetuneGeneratorSection,
    PretrainSection,
)
from reviewgen_spark.errors import ConfigError, DataQualityError, ModelNotFoundError
from reviewgen_spark.models.bases.decoder import apply_lora, load_decoder
from reviewgen_spark.models.bases.language_model import load_language_model
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.generator.control_codes import ALL_CODES, add_control_codes
from reviewgen_spark.models.generator.evaluation import evaluate_generator
from reviewgen_spark.models.generator.examples import Example, read_examples, review_examples, split_examples
from reviewgen_spark.models.generator.finetuning import finetune_generator
from reviewgen_spark.models.generator.generator_folder import (
    GENERATOR_FILES,
    generator_sha256,
    load_copies,
    load_generator,
    read_generator,
    save_copies,
)
from reviewgen_spark.models.generator.text_task import ExampleRow, text_bits
from reviewgen_spark.text.requests.request import TextRequest
from tests.models.generators import make_generator

SECTION = FinetuneGeneratorSection(
    base="scratch:tiny",
    max_tokens=64,
    text_tokens=32,
    vocabulary_size=500,
    epochs=3,
    batch_size=16,
    learning_rate=3e-3,
    dropout=0,
    precision="float32",
    threads=1,
)


def quiet(line: str) -> None:
    pass


def words(text: str) -> list[str]:
    return [word for word in ("房间", "手机", "屏幕", "服务", "物流", "包装", "电池") if word in text]


@pytest.fixture(scope="module")
def examples(corpus: Path) -> list[Example]:
    return review_examples(read_split(corpus, "train"), words, max_keywords=2, codes_dropped=0.2, seed=1)


@pytest.fixture(scope="module")
def validation(corpus: Path) -> list[Example]:
    return review_examples(read_split(corpus, "validation"), words, max_keywords=2, codes_dropped=0.2, seed=1)


@pytest.fixture(scope="module")
def trained_generator(
    examples: list[Example], validation: list[Example], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("trained") / "generator"
    finetune_generator(examples, validation, "scratch:tiny", SECTION, out, quiet, "corpus-1")
    return out


@pytest.mark.parametrize("kind", ["causal", "gpt2", "seq2seq"])
def test_a_loaded_generator_has_the_logits_of_transformers(kind: str, tmp_path: Path) -> None:
    make_generator(tmp_path, kind)
    tokenizer, model, settings, _copies = load_generator(tmp_path)
    assert settings.kind == ("seq2seq" if kind == "seq2seq" else "causal")
    prompt = tokenizer.encode_prompt(TextRequest("augmentation", "p", "zh"))
    more = {"decoder_input_ids": torch.tensor([[2, 7]])} if kind == "seq2seq" else {}
    if kind == "seq2seq":
        from transformers import AutoModelForSeq2SeqLM

        theirs = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    else:
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        one, two = (each(input_ids=torch.tensor([prompt]), **more).logits for each in (model, theirs))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_the_hash_covers_all_files_that_change_texts(tmp_path: Path) -> None:
    make_generator(tmp_path)
    before = generator_sha256(tmp_path)
    (tmp_path / "training_curve.json").write_text("[]")
    assert generator_sha256(tmp_path) == before
    for name in GENERATOR_FILES:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content + b" ")
        assert generator_sha256(tmp_path) != before, name
        (tmp_path / name).write_bytes(content)


def test_copies_of_training_texts_are_detected_without_storing_the_texts(tmp_path: Path) -> None:
    training_text = "这款耳机音质通透，佩戴一整天也不难受"
    save_copies(tmp_path, {"zh": [training_text], "en": ["the battery lasts two days and more"]})
    copies = load_copies(tmp_path)
    assert copies["zh"].longest_run(f"我说，{training_text}！") == 17 and copies["zh"].longest_run("这款耳机不错") == 0
    assert copies["en"].longest_run("The battery lasts two days and nights") == 6
    assert "耳机".encode() not in (tmp_path / "copies.safetensors").read_bytes()


def test_a_folder_without_a_generator_lists_the_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"lacks config\.json, copies\.safetensors"):
        read_generator(tmp_path)


def test_control_codes_are_added_once_and_keep_other_embeddings() -> None:
    tokenizer, model = load_decoder("scratch:tiny", ["房间很好"] * 3, 32, 500, 0.0)
    before = model.get_input_embeddings().weight.detach().clone()
    added = add_control_codes(tokenizer, model)
    after = model.get_input_embeddings().weight
    assert len(added) == len(ALL_CODES) and len(after) == len(tokenizer) == len(before) + len(ALL_CODES)
    assert torch.equal(after[: len(before)], before)
    assert model.get_output_embeddings().weight is after
    assert add_control_codes(tokenizer, model) == []


def test_training_lowers_the_loss_and_codes_change_the_probability(
    trained_generator: Path, examples: list[Example]
) -> None:
    curve = json.loads((trained_generator / "training_curve.json").read_text())
    assert curve[-1]["validation_loss"] < curve[0]["validation_loss"] - 0.3
    settings = read_generator(trained_generator)
    assert settings.purposes == ("augmentation", "draft_for_verified_buyer")
    generator = load_generator(trained_generator)
    texts = {
        sentiment: next(e.text for e in examples if e.request.sentiment == sentiment)
        for sentiment in ("positive", "negative")
    }
    costs = {}
    for requested in texts:
        request = TextRequest("augmentation", "p", "zh", sentiment=requested, length="short")  # type: ignore[arg-type]
        prompt = generator.tokenizer.encode_prompt(request)
        rows = [ExampleRow(prompt, generator.tokenizer.encode_text(text) or [], len(text)) for text in texts.values()]
        costs[requested] = text_bits(generator.model, rows, "causal", "cpu")
    positive, negative = costs["positive"], costs["negative"]
    assert positive[0] < negative[0] and negative[1] < positive[1]


def test_equal_seeds_give_equal_generators(
    trained_generator: Path, examples: list[Example], validation: list[Example], tmp_path: Path
) -> None:
    finetune_generator(examples, validation, "scratch:tiny", SECTION, tmp_path, quiet, "corpus-1")
    assert generator_sha256(tmp_path) == generator_sha256(trained_generator)


@pytest.mark.parametrize("kind", ["causal", "gpt2", "seq2seq"])
def test_each_kind_of_checkpoint_is_trained_with_lora(
    kind: str, examples: list[Example], validation: list[Example], tmp_path: Path
) -> None:
    make_generator(tmp_path / "base", kind)
    section = SECTION.model_copy(update={"method": "lora", "epochs": 1})
    result = finetune_generator(
        examples[:64], validation, str(tmp_path / "base"), section, tmp_path / "m", quiet, "c", base_name="b"
    )
    assert read_generator(result.folder).kind == ("seq2seq" if kind == "seq2seq" else "causal")
    generator = load_generator(result.folder)
    frozen = {"causal": "bert.encoder.layer.0.output.dense.weight", "gpt2": "transformer.h.0.mlp.c_fc.weight"}
    if kind in frozen:
        from safetensors.torch import load_file

        before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path / "base", result.folder))
        assert torch.equal(before[frozen[kind]], after[frozen[kind]])
        assert any(not torch.equal(before[name], after[name]) for name in before)
        assert not any("lora" in name for name in after)
    assert generator.tokenizer.encode_prompt(TextRequest("augmentation", "p", "zh"))


def test_a_seq2seq_base_cannot_be_pretrained_with_clm(tmp_path: Path) -> None:
    make_generator(tmp_path, "seq2seq")
    with pytest.raises(ConfigError, match="has an encoder, which clm does not train"):
        load_language_model(str(tmp_path), ["房间很好"], PretrainSection(objective="clm"))


def test_a_new_adapter_changes_no_logit(tmp_path: Path) -> None:
    make_generator(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[2, 7, 9, 11]])
    with torch.inference_mode():
        before = model(input_ids=ids).logits.clone()
        after = apply_lora(model, "causal", 4, [70, 71]).eval()(input_ids=ids).logits
    torch.testing.assert_close(after, before)


def test_examples_that_are_all_too_long_are_an_error(
    examples: list[Example], validation: list[Example], tmp_path: Path
) -> None:
    long = [Example(example.request, example.text * 20) for example in examples]
    with pytest.raises(DataQualityError, match="no example of train fits into 64 tokens, 32 of them for the text"):
        finetune_generator(long, validation, "scratch:tiny", SECTION, tmp_path, quiet, "c")


def test_a_base_with_too_few_positions_is_refused(
    examples: list[Example], validation: list[Example], tmp_path: Path
) -> None:
    make_generator(tmp_path / "base", "gpt2", max_tokens=48)
    with pytest.raises(ConfigError, match="64, but this base has 48 positions"):
        finetune_generator(examples, validation, str(tmp_path / "base"), SECTION, tmp_path / "m", quiet, "c")


def test_examples_of_a_review_do_not_depend_on_other_reviews(corpus: Path, examples: list[Example]) -> None:
    reviews = read_split(corpus, "train")
    alone = review_examples(reviews.take(np.array([7, 3])), words, max_keywords=2, codes_dropped=0.2, seed=1)
    assert alone == [examples[7], examples[3]]
    assert {example.request.purpose for example in examples} == {"augmentation", "draft_for_verified_buyer"}
    assert any(example.request.category is None for example in examples)
    assert all(set(example.request.keywords) <= set(words(example.text)) for example in examples)


def test_a_file_of_examples_names_its_invalid_line(tmp_path: Path) -> None:
    request = {"purpose": "reply", "product_id": "p", "lang_code": "zh", "sources": [{"record_id": "r", "text": "差"}]}
    file = tmp_path / "examples.jsonl"
    file.write_text("\n".join(json.dumps({"request": request, "text": text}) for text in ("抱歉", "谢谢", "抱歉")))
    read = read_examples(file)
    assert [example.text for example in read] == ["抱歉", "谢谢", "抱歉"]
    parts = split_examples(read, 0.5, seed=3)
    assert sorted(len(part) for part in parts) in ([0, 3], [1, 2]) and (read[0] in parts[0]) == (read[2] in parts[0])
    for line, message in (
        ("{", "line 1: expected"),
        ('{"request": {"purpose": "spam"}, "text": "x"}', "line 1: request"),
        (json.dumps({"request": request, "text": ""}), "line 1: text: expected a text that is not empty"),
    ):
        file.write_text(line)
        with pytest.raises(ConfigError, match=message):
            read_examples(file)


def test_a_generator_is_scored_with_its_baselines(
    trained_generator: Path, examples: list[Example], validation: list[Example]
) -> None:
    section = EvaluateGeneratorSection(texts=20)
    held_out = [*validation, *validation]
    scores = evaluate_generator(trained_generator, examples, held_out, section, DecodingSection(max_new_tokens=24))
    figures = {(score.model, score.metric): score.value for score in scores}
    models = {"generator", "ngram", "retrieval", "real"}
    assert {model for model, _metric in figures} == models
    assert 0 < figures["generator", "bits_per_character"] < 6
    assert {figures[model, "texts/mean_characters"] > 4 for model in models} == {True}
    assert 0 <= figures["generator", "texts/self_bleu"] <= 1
    with pytest.raises(DataQualityError, match="2 x 200 are needed"):
        evaluate_generator(trained_generator, examples, held_out, EvaluateGeneratorSection(), DecodingSection())
