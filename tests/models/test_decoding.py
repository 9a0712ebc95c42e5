"""Texts of tiny random models: the same as transformers writes greedily, and the same whoever shares the batch."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from reviewgen_spark.models.decoding import Prompt, Specials, continue_prompts, plan_batches
from reviewgen_spark.models.generator import Generator, load_generator
from reviewgen_spark.models.kv_cache import BufferedLayer, fill_holes
from reviewgen_spark.models.sampling import Sampler, draw, keep_likely
from reviewgen_spark.models.watermark import make_watermark, mean_g
from reviewgen_spark.sections import DecodingSection
from tests.models.generators import make_generator

GREEDY = DecodingSection(temperature=0, top_k=0, top_p=1, repetition_penalty=1, no_repeat_ngram=0, max_new_tokens=12)
DRAWN = DecodingSection(temperature=1.0, top_k=40, top_p=0.95, max_new_tokens=24)


@pytest.fixture(scope="module", params=["causal", "gpt2", "seq2seq"])
def generator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator:
    folder = tmp_path_factory.mktemp(request.param)
    make_generator(folder, request.param, seed=3)
    return load_generator(folder)


def specials(generator: Generator) -> Specials:
    tokenizer = generator.tokenizer
    return Specials(tokenizer.end_id, tokenizer.pad_id, tuple(tokenizer.banned_ids))


def prompts(count: int = 12) -> list[Prompt]:
    """Of 3 to 9 tokens, in no order of length."""
    return [
        Prompt([2, *(5 + (7 * row + 3 * place) % 60 for place in range(2 + row * 5 % 7))], seed=100 + row)
        for row in range(count)
    ]


def write(generator: Generator, given: list[Prompt], section: DecodingSection, **more: Any) -> list[list[int]]:
    found = continue_prompts(generator.model, given, section, specials(generator), **more)
    return [text.ids for text in found]


def test_greedy_texts_are_those_of_transformers(generator: Generator) -> None:
    given = prompts()
    banned = [[token] for token in specials(generator).banned]
    found = write(generator, given, GREEDY)
    for prompt, ids in zip(given, found, strict=True):
        theirs = generator.model.generate(
            torch.tensor([prompt.ids]),
            attention_mask=torch.ones(1, len(prompt.ids), dtype=torch.int64),
            max_new_tokens=12,
            min_new_tokens=1,
            do_sample=False,
            num_beams=1,
            bad_words_ids=banned,
            eos_token_id=specials(generator).end_id,
            pad_token_id=0,
        )[0].tolist()
        theirs = theirs[1 if generator.settings.kind == "seq2seq" else len(prompt.ids) :]
        end = theirs.index(specials(generator).end_id) if specials(generator).end_id in theirs else len(theirs)
        assert ids == theirs[:end]


def test_a_text_does_not_depend_on_its_batch(generator: Generator) -> None:
    given = prompts()
    together = write(generator, given, DRAWN)
    assert len({tuple(ids) for ids in together}) > 6
    assert len({len(ids) for ids in together}) > 1  # some left before others
    assert write(generator, given[::-1], DRAWN)[::-1] == together
    assert [write(generator, [prompt], DRAWN)[0] for prompt in given] == together
    other_seeds = [Prompt(prompt.ids, prompt.seed + 1) for prompt in given]
    assert write(generator, other_seeds, DRAWN) != together


def test_no_text_holds_a_banned_token_or_a_run_twice(generator: Generator) -> None:
    section = DRAWN.model_copy(update={"no_repeat_ngram": 2, "top_k": 0, "top_p": 1, "min_new_tokens": 5})
    for ids in write(generator, prompts(), section):
        assert len(ids) >= 5
        assert not set(ids) & set(specials(generator).banned)
        pairs = list(pairwise(ids))
        assert len(set(pairs)) == len(pairs)


def test_a_text_ends_where_the_context_does(generator: Generator) -> None:
    section = DRAWN.model_copy(update={"min_new_tokens": 24})
    given = prompts()
    found = continue_prompts(generator.model, given, section, specials(generator), context=14)
    for prompt, text in zip(given, found, strict=True):
        assert len(text.ids) == 14 - (1 if generator.settings.kind == "seq2seq" else len(prompt.ids))
        assert not text.is_finished


@pytest.mark.parametrize("architecture", ["roberta", "llama", "opt"])
def test_other_architectures_count_positions_as_they_do(architecture: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 70}
    sizes |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}
    sizes |= {"ffn_dim": 24, "word_embed_proj_dim": 16} if architecture == "opt" else {}
    sizes |= {"is_decoder": True} if architecture == "roberta" else {}
    config = AutoConfig.for_model(architecture, **sizes)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    given = prompts(5)
    found = continue_prompts(model, given, GREEDY, Specials(end_id=3, pad_id=1))
    for prompt, text in zip(given, found, strict=True):
        ids = list(prompt.ids)
        with torch.inference_mode():
            for token in text.ids:  # no cache, no padding
                logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
                if len(ids) == len(prompt.ids):
                    logits[3] = -torch.inf
                assert logits[token] == pytest.approx(float(logits.max()), abs=1e-4)
                ids.append(token)
    assert any(text.ids for text in found)


def test_a_model_without_numbers_breaks_its_row_alone() -> None:
    section = GREEDY.model_copy(update={"max_new_tokens": 4})
    sampler = Sampler([1, 2], section, 0, (), "cpu")
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, torch.nan, 2.0]])
    tokens, broken = sampler.choose(logits)
    assert tokens.tolist() == [2, 0] and broken.tolist() == [False, True]


def test_what_is_kept_before_a_draw() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    values, ids = keep_likely(logits.clone(), top_k=0, top_p=0.6)
    assert torch.isfinite(values).tolist() == [[True, True, False, False]] and ids.tolist() == [[0, 1, 2, 3]]
    values, ids = keep_likely(logits.clone(), top_k=3, top_p=1)
    assert ids.tolist() == [[0, 1, 2]]
    values, ids = keep_likely(logits.flip(1), top_k=2, top_p=0.1)
    assert ids.tolist() == [[2, 3]] and torch.isfinite(values).tolist() == [[False, True]]
    wide = torch.randn(2, 900, generator=torch.Generator().manual_seed(0))  # flat: the first 256 do not hold 0.9
    values, ids = keep_likely(wide.clone(), top_k=0, top_p=0.9)
    shares = wide.softmax(1)
    kept = torch.isfinite(values)
    for row in range(2):
        inside = ids[row][kept[row]]
        assert 0.9 <= float(shares[row][inside].sum()) < 0.91
        assert float(shares[row][inside].min()) >= float(shares[row][ids[row][~kept[row]]].max())


def test_a_draw_takes_tokens_as_often_as_they_are_likely() -> None:
    values = torch.tensor([0.5, 0.3, 0.2]).log().expand(1000, 3)
    uniform = torch.arange(1000, dtype=torch.float64) / 1000
    tokens = draw(values, torch.tensor([4, 7, 9]).expand(1000, 3), uniform)
    assert [int((tokens == token).sum()) for token in (4, 7, 9)] == pytest.approx([500, 300, 200], abs=1)


def test_a_penalty_makes_what_was_written_less_likely() -> None:
    section = GREEDY.model_copy(update={"repetition_penalty": 4.0, "max_new_tokens": 3})
    sampler = Sampler([0], section, 3, (), "cpu")
    chosen = [int(sampler.choose(torch.tensor([[2.0, 1.0, -1.0, -9.0]]))[0]) for _ in range(3)]
    assert chosen == [0, 1, 0]


def test_batches_are_of_like_length() -> None:
    given = [Prompt([0] * length, 0) for length in (9, 2, 3, 8)]
    assert plan_batches(given, list("abcd"), 10, 30) == [[1, 2], [3], [0]]


def test_a_row_that_leaves_is_overwritten_by_the_last() -> None:
    layer = BufferedLayer(4)
    states = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    layer.update(states, -states)
    kept = fill_holes([True, False, True, False, False])
    layer.keep(kept)
    assert layer.keys[:, 0, 0, 0].tolist() == [float(row) for row in kept] == [3, 1, 4]
    keys, values = layer.update(states[:3, :, :1] + 10, states[:3, :, :1])
    assert keys[:, 0, :, 0].tolist() == [[3, 3, 10], [1, 1, 11], [4, 4, 12]] and values.shape == (3, 1, 3, 3)


def test_a_watermark_is_seen_by_who_has_the_keys(tmp_path: Path) -> None:
    make_generator(tmp_path, "gpt2", seed=3, max_tokens=96, text_tokens=64)
    generator = load_generator(tmp_path)
    keys, others = tuple(range(1000, 1024)), tuple(range(2000, 2024))
    section = DRAWN.model_copy(update={"top_k": 0, "top_p": 1, "min_new_tokens": 60, "max_new_tokens": 60})
    given = prompts(16)
    marked = write(generator, given, section, watermark=make_watermark(keys, 5, "cpu"))
    plain = write(generator, given, section)

    def mean(texts: list[list[int]], secret: tuple[int, ...]) -> float:
        return sum(mean_g(ids, secret, 5) for ids in texts) / len(texts)

    assert mean(marked, keys) > 0.54
    assert mean(plain, keys) == pytest.approx(0.5, abs=0.02)
    assert mean(marked, others) == pytest.approx(0.5, abs=0.02)
    alone = write(generator, given[3:4], section, watermark=make_watermark(keys, 5, "cpu"))
    assert alone[0] == marked[3]
