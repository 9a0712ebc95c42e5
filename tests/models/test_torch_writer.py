"""The writer of a generator: errors a row, memory, the context."""

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
    found = tmp_path_factory.mktemp("generator")
    make_generator(found, "gpt2", seed=3, purposes=("reply", "augmentation"), max_tokens=64, text_tokens=24)
    return found


def ask(count: int) -> list[TextRequest]:
    return [
        TextRequest("reply", "p", "zh", sources=(Source(f"r{row}", "手机太差，" * (row % 4 + 1)),), seed=row)
        for row in range(count)
    ]


def texts(found: list[WriterOutput]) -> list[str | None]:
    return [written.text for written in found]


def test_a_row_that_cannot_be_asked_harms_no_other(folder: Path) -> None:
    writer = TorchWriter(load_generator(folder), SECTION)
    crowded = replace(ask(1)[0], attributes=tuple(Attribute(f"屏幕{n}", "房间很好服务不错") for n in range(9)))
    untaught = TextRequest("product_copy", "p", "zh", attributes=(Attribute("屏幕", "好"),))
    found = writer.write([*ask(3), crowded, untaught, ask(4)[3]])
    assert texts(found[:3]) + texts(found[5:]) == texts(writer.write(ask(4)))
    for written, words in ((found[3], "give fewer attributes"), (found[4], "was trained for reply, augmentation")):
        assert written.text is None and written.error is not None
        assert written.error.error_class == "PromptRefused" and words in written.error.message
    assert all(written.new_tokens >= 3 and written.prompt_tokens > 4 for written in (*found[:3], found[5]))
    assert writer.write([]) == []


def test_out_of_memory_halves_and_gives_the_same_texts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = TorchWriter(load_generator(folder), SECTION)
    whole = texts(writer.write(ask(12)))
    join, step, places = CausalReader.join, CausalReader.step, list[int]()
    lengths = [len(writer._generator.tokenizer.encode_prompt(request)) for request in ask(12)]

    def fail() -> NoReturn:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")

    def with_little_memory(reader: Any, prompts: list[list[int]]) -> Any:
        return fail() if max(lengths) in map(len, prompts) else join(reader, prompts)

    def for_two(reader: Any, tokens: Any) -> Any:
        places.append(len(tokens))
        return fail() if len(tokens) > 2 else step(reader, tokens)

    monkeypatch.setattr(CausalReader, "join", with_little_memory)
    monkeypatch.setattr(CausalReader, "step", for_two)
    found = writer.write(ask(12))
    assert max(places) > 2
    for length, written, text in zip(lengths, found, whole, strict=True):
        if length == max(lengths):
            assert written.error is not None and written.error.error_class == "OutOfMemory"
        else:
            assert written.text == text


def test_a_text_ends_at_its_limit_or_the_contexts(folder: Path) -> None:
    section = SECTION.model_copy(update={"decoding": DecodingSection(max_new_tokens=60, min_new_tokens=60)})
    found = TorchWriter(load_generator(folder), section).write(ask(4))
    assert all(written.is_truncated for written in found)
    assert {written.prompt_tokens + written.new_tokens for written in found} == {64}


def test_a_watermark_changes_texts_and_is_no_secret_in_the_row(folder: Path) -> None:
    from reviewgen_spark.inference.generation.torch_writer import TorchSpec

    marked = SECTION.model_copy(update={"watermark": WatermarkSection(keys=tuple(range(77, 97)))})
    spec = TorchSpec("g", 1, None, str(folder), marked)
    plain = TorchSpec("g", 1, None, str(folder), SECTION)
    assert texts(spec.open().write(ask(4))) != texts(plain.open().write(ask(4)))
    assert spec.decoding["watermark"] == "synthid-text" and "77" not in str(spec.decoding)
    assert plain.is_seeded and "watermark" not in plain.decoding
