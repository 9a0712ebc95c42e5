"""Tests the writer of a generator: errors by row, memory, and context length."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from reviewgen_spark.config import DecodingSection, GenerationSection, WatermarkSection
from reviewgen_spark.inference.generation.torch_writer import TorchWriter
from reviewgen_spark.inference.generation.writers import WriterOutput
from reviewgen_spark.models.decoding.incremental import CausalReader
from reviewgen_spark.models.generator.generator_folder import load_generator
from reviewgen_spark.text.requests.request import Attribute, Source, TextRequest
from tests.models.generators import make_generator

SECTION = GenerationSection(decoding=DecodingSection(max_new_tokens=16, min_new_tokens=3), tokens_per_batch=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generator")
    make_generator(path, "gpt2", seed=3, purposes=("reply", "augmentation"), max_tokens=64, text_tokens=24)
    return path


def ask(count: int) -> list[TextRequest]:
    return [
        TextRequest("reply", "p", "zh", sources=(Source(f"r{row}", "手机太差，" * (row % 4 + 1)),), seed=row)
        for row in range(count)
    ]


def texts(outputs: list[WriterOutput]) -> list[str | None]:
    return [written.text for written in outputs]


def test_a_refused_row_does_not_affect_others(folder: Path) -> None:
    writer = TorchWriter(load_generator(folder), SECTION)
    crowded = replace(ask(1)[0], attributes=tuple(Attribute(f"屏幕{n}", "房间很好服务不错") for n in range(9)))
    unknown_purpose = TextRequest("product_copy", "p", "zh", attributes=(Attribute("屏幕", "好"),))
    outputs = writer.write([*ask(3), crowded, unknown_purpose, ask(4)[3]])
    assert texts(outputs[:3]) + texts(outputs[5:]) == texts(writer.write(ask(4)))
    for written, words in ((outputs[3], "give fewer attributes"), (outputs[4], "was trained for reply, augmentation")):
        assert written.text is None and written.error is not None
        assert written.error.error_class == "PromptRefused" and words in written.error.message
    assert all(written.new_tokens >= 3 and written.prompt_tokens > 4 for written in (*outputs[:3], outputs[5]))
    assert writer.write([]) == []


def test_out_of_memory_halves_the_batch_and_gives_equal_texts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = TorchWriter(load_generator(folder), SECTION)
    whole = texts(writer.write(ask(12)))
    join, step, batch_sizes = CausalReader.join, CausalReader.step, list[int]()
    lengths = [len(writer._generator.tokenizer.encode_prompt(request)) for request in ask(12)]

    def fail() -> NoReturn:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")

    def with_little_memory(reader: Any, prompts: list[list[int]]) -> Any:
        return fail() if max(lengths) in map(len, prompts) else join(reader, prompts)

    def for_two(reader: Any, tokens: Any) -> Any:
        batch_sizes.append(len(tokens))
        return fail() if len(tokens) > 2 else step(reader, tokens)

    monkeypatch.setattr(CausalReader, "join", with_little_memory)
    monkeypatch.setattr(CausalReader, "step", for_two)
    outputs = writer.write(ask(12))
    assert max(batch_sizes) > 2
    for length, written, text in zip(lengths, outputs, whole, strict=True):
        if length == max(lengths):
            assert written.error is not None and written.error.error_class == "OutOfMemory"
        else:
            assert written.text == text


def test_a_text_ends_at_the_context_length(folder: Path) -> None:
    section = SECTION.model_copy(update={"decoding": DecodingSection(max_new_tokens=60, min_new_tokens=60)})
    outputs = TorchWriter(load_generator(folder), section).write(ask(4))
    assert all(written.is_truncated for written in outputs)
    assert {written.prompt_tokens + written.new_tokens for written in outputs} == {64}


def test_a_watermark_changes_texts_and_its_keys_are_not_stored(folder: Path) -> None:
    from reviewgen_spark.inference.generation.torch_writer import TorchSpec

    marked = SECTION.model_copy(update={"watermark": WatermarkSection(keys=tuple(range(77, 97)))})
    spec = TorchSpec("g", 1, None, str(folder), marked)
    plain = TorchSpec("g", 1, None, str(folder), SECTION)
    assert texts(spec.open().write(ask(4))) != texts(plain.open().write(ask(4)))
    assert spec.decoding["watermark"] == "synthid-text" and "77" not in str(spec.decoding)
    assert plain.is_seeded and "watermark" not in plain.decoding
