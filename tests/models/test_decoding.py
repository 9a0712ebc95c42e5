"""Tests decoding with small random models: greedy texts equal those of transformers in every batch."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from reviewgen_spark.config import DecodingSection
from reviewgen_spark.models.decoding import attention
from reviewgen_spark.models.decoding.decoding import Continuation, Prompt, Specials, continue_prompts, count_joining
from reviewgen_spark.models.decoding.kv_cache import BufferedLayer, compact_rows
from reviewgen_spark.models.decoding.sampling import Sampler, draw, keep_likely
from reviewgen_spark.models.decoding.watermark import make_watermark, mean_g
from reviewgen_spark.models.generator.generator_folder import Generator, load_generator
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
    """Returns prompts of 3 to 9 tokens, not sorted by length."""
    return [
        Prompt([2, *(5 + (7 * row + 3 * index) % 60 for index in range(2 + row * 5 % 7))], seed=100 + row)
        for row in range(count)
    ]


def continuations(
    model: Any, batch: list[Prompt], section: DecodingSection, special_ids: Specials, **more: Any
) -> list[Continuation]:
    """Returns the continuations in the order of the prompts."""
    indexed = list(continue_prompts(model, batch, section, special_ids, **more))
    assert sorted(index for index, _ in indexed) == list(range(len(batch)))
    return [text for _, text in sorted(indexed, key=lambda one: one[0])]


def write(generator: Generator, batch: list[Prompt], section: DecodingSection, **more: Any) -> list[list[int]]:
    return [text.ids for text in continuations(generator.model, batch, section, specials(generator), **more)]


def test_greedy_texts_are_those_of_transformers(generator: Generator) -> None:
    batch = prompts()
    banned = [[token] for token in specials(generator).banned]
    texts = write(generator, batch, GREEDY)
    generator.model.set_attn_implementation("sdpa")
    for prompt, ids in zip(batch, texts, strict=True):
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
    generator.model.set_attn_implementation(attention.NAME)


def test_a_text_does_not_depend_on_its_batch(generator: Generator) -> None:
    batch = prompts()
    together = write(generator, batch, DRAWN)
    assert len({tuple(ids) for ids in together}) > 6
    assert len({len(ids) for ids in together}) > 1  # some ended before others
    assert write(generator, batch[::-1], DRAWN)[::-1] == together
    assert [write(generator, [prompt], DRAWN)[0] for prompt in batch] == together
    other_seeds = [Prompt(prompt.ids, prompt.seed + 1) for prompt in batch]
    assert write(generator, other_seeds, DRAWN) != together


def test_a_text_does_not_depend_on_when_it_joins_a_batch(generator: Generator) -> None:
    """The budgets decode one row at a time or several, and new rows replace finished ones."""
    batch = [*prompts(24), *(Prompt([2, *range(5, 5 + 2 * row)], seed=row) for row in range(9))]
    alone = [write(generator, [prompt], DRAWN)[0] for prompt in batch]
    for budget in (1, 80, 140, 300, 600, 4000):
        assert write(generator, batch, DRAWN, tokens_per_batch=budget) == alone


def test_a_text_has_no_banned_token_and_no_repeated_pair(generator: Generator) -> None:
    section = DRAWN.model_copy(update={"no_repeat_ngram": 2, "top_k": 0, "top_p": 1, "min_new_tokens": 5})
    for ids in write(generator, prompts(), section):
        assert len(ids) >= 5
        assert not set(ids) & set(specials(generator).banned)
        pairs = list(pairwise(ids))
        assert len(set(pairs)) == len(pairs)


def test_a_text_ends_at_the_end_of_the_context(generator: Generator) -> None:
    section = DRAWN.model_copy(update={"min_new_tokens": 24})
    batch = prompts()
    texts = continuations(generator.model, batch, section, specials(generator), context=14)
    for prompt, text in zip(batch, texts, strict=True):
        assert len(text.ids) == 14 - (1 if generator.settings.kind == "seq2seq" else len(prompt.ids))
        assert not text.is_finished


@pytest.mark.parametrize("budget", [None, 45], ids=["at once", "joining"])
@pytest.mark.parametrize("architecture", ["roberta", "llama", "opt", "mistral"])
def test_positions_are_right_for_other_architectures(architecture: str, budget: int | None) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 70}
    sizes |= {"intermediate_size": 24, "max_position_embeddings": 40, "pad_token_id": 1}
    sizes |= {"ffn_dim": 24, "word_embed_proj_dim": 16} if architecture == "opt" else {}
    sizes |= {"is_decoder": True} if architecture == "roberta" else {}
    # With a sliding window, rows cannot join a batch and wait until it has ended.
    sizes |= {"sliding_window": 4, "num_key_value_heads": 1} if architecture == "mistral" else {}
    config = AutoConfig.for_model(architecture, **sizes)
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    batch = prompts(5)
    model.set_attn_implementation(attention.NAME)
    texts = continuations(model, batch, GREEDY, Specials(end_id=3, pad_id=1), tokens_per_batch=budget)
    model.set_attn_implementation("sdpa")
    for prompt, text in zip(batch, texts, strict=True):
        ids = list(prompt.ids)
        with torch.inference_mode():
            for token in text.ids:  # no cache, no padding
                logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
                if len(ids) == len(prompt.ids):
                    logits[3] = -torch.inf
                assert logits[token] == pytest.approx(float(logits.max()), abs=1e-4)
                ids.append(token)
    assert any(text.ids for text in texts)


def test_a_nan_logit_breaks_its_row_alone() -> None:
    section = GREEDY.model_copy(update={"max_new_tokens": 4})
    sampler = Sampler(section, 0, (), "cpu")
    sampler.join([1, 2])
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.0, torch.nan, 2.0]])
    tokens, broken = sampler.choose(logits)
    assert tokens.tolist() == [2, 0] and broken.tolist() == [False, True]


def test_top_k_and_top_p_keep_the_most_likely_tokens() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
    values, ids = keep_likely(logits.clone(), top_k=0, top_p=0.6)
    assert torch.isfinite(values).tolist() == [[True, True, False, False]] and ids.tolist() == [[0, 1, 2, 3]]
    values, ids = keep_likely(logits.clone(), top_k=3, top_p=1)
    assert ids.tolist() == [[0, 1, 2]]
    values, ids = keep_likely(logits.flip(1), top_k=2, top_p=0.1)
    assert ids.tolist() == [[2, 3]] and torch.isfinite(values).tolist() == [[False, True]]
    # A flat distribution: the first 256 tokens have a share below 0.9.
    wide = torch.randn(2, 900, generator=torch.Generator().manual_seed(0))
    values, ids = keep_likely(wide.clone(), top_k=0, top_p=0.9)
    shares = wide.softmax(1)
    is_kept = torch.isfinite(values)
    for row in range(2):
        inside = ids[row][is_kept[row]]
        assert 0.9 <= float(shares[row][inside].sum()) < 0.91
        assert float(shares[row][inside].min()) >= float(shares[row][ids[row][~is_kept[row]]].max())


def test_tokens_are_drawn_with_their_probability() -> None:
    values = torch.tensor([0.5, 0.3, 0.2]).log().expand(1000, 3)
    uniform = torch.arange(1000, dtype=torch.float64) / 1000
    tokens = draw(values, torch.tensor([4, 7, 9]).expand(1000, 3), uniform)
    assert [int((tokens == token).sum()) for token in (4, 7, 9)] == pytest.approx([500, 300, 200], abs=1)


def test_a_repetition_penalty_lowers_the_logits_of_used_tokens() -> None:
    section = GREEDY.model_copy(update={"repetition_penalty": 4.0, "max_new_tokens": 3})
    sampler = Sampler(section, 3, (), "cpu")
    sampler.join([0])
    chosen = [int(sampler.choose(torch.tensor([[2.0, 1.0, -1.0, -9.0]]))[0]) for _ in range(3)]
    assert chosen == [0, 1, 0]


def test_rows_join_if_they_make_up_a_quarter() -> None:
    assert count_joining(0, [50], 10, 20) == 1  # the batch is empty
    assert count_joining(0, [2, 3, 8, 9], 10, 30) == 2
    assert count_joining(5, [10], 10, 1000) == 0
    assert count_joining(5, [10, 10], 10, 1000) == 2
    assert count_joining(5, [10, 10], 10, 120) == 0  # one fits, which is too few
    assert count_joining(3, [10, 30], 10, 100) == 1


def test_a_removed_row_is_overwritten_by_the_last() -> None:
    layer = BufferedLayer(4)
    states = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    layer.update(states, -states)
    rows = compact_rows([True, False, True, False, False])
    layer.keep(rows)
    assert layer.keys[:, 0, 0, 0].tolist() == [float(row) for row in rows] == [3, 1, 4]
    keys, values = layer.update(states[:3, :, :1] + 10, states[:3, :, :1])
    assert keys[:, 0, :, 0].tolist() == [[3, 3, 10], [1, 1, 11], [4, 4, 12]] and values.shape == (3, 1, 3, 3)


def test_joining_rows_are_aligned_at_the_end() -> None:
    layer, joining = BufferedLayer(4), BufferedLayer(1)
    states = torch.arange(1.0, 4).reshape(3, 1, 1, 1).expand(3, 1, 2, 1)
    layer.update(states, -states)
    layer.keep(compact_rows([False, True, False]))
    joining.update(states[:1, :, :1] * 9, states[:1, :, :1])
    layer.join(joining)
    assert layer.keys[:, 0, :, 0].tolist() == [[1, 1], [3, 3], [0, 9]]
    layer.move(rows=4, room=6, end=3)
    layer.update(torch.full((3, 1, 1, 1), 5.0), states[:, :, :1])
    assert layer.keys[:, 0, :, 0].tolist() == [[1, 1, 5], [3, 3, 5], [0, 9, 5]]
    layer.hide_before(2)
    assert layer.keys[:, 0, :, 0].tolist() == [[1, 5], [3, 5], [9, 5]] and layer.get_seq_length() == 2
    layer.move(rows=4, room=6, end=4)
    wide = BufferedLayer(3)
    wide.update(torch.full((1, 1, 3, 1), 7.0), torch.full((1, 1, 3, 1), 8.0))
    layer.join(wide)  # its values before the start of the others are not visible
    assert layer.keys[:, 0, :, 0].tolist() == [[0, 1, 5], [0, 3, 5], [0, 9, 5], [7, 7, 7]]


def test_a_row_with_nan_does_not_affect_rows_that_replace_it(tmp_path: Path) -> None:
    make_generator(tmp_path, "gpt2", seed=3)
    generator = load_generator(tmp_path)
    batch = prompts()
    whole = write(generator, batch, DRAWN, tokens_per_batch=140)
    seen = {token for prompt, ids in zip(batch, whole, strict=True) for token in (*prompt.ids, *ids)}
    unseen = max(set(range(70)) - seen)
    damaged = [
        replace(prompt, ids=[unseen, *prompt.ids[1:]]) if row % 3 == 0 else prompt for row, prompt in enumerate(batch)
    ]
    with torch.no_grad():
        generator.model.get_input_embeddings().weight[unseen] = torch.nan
    texts = continuations(generator.model, damaged, DRAWN, specials(generator), tokens_per_batch=140)
    for row, (text, ids) in enumerate(zip(texts, whole, strict=True)):
        assert text.is_broken if row % 3 == 0 else text.ids == ids


def test_a_watermark_is_detected_only_with_its_keys(tmp_path: Path) -> None:
    make_generator(tmp_path, "gpt2", seed=3, max_tokens=96, text_tokens=64)
    generator = load_generator(tmp_path)
    keys, others = tuple(range(1000, 1024)), tuple(range(2000, 2024))
    section = DRAWN.model_copy(update={"top_k": 0, "top_p": 1, "min_new_tokens": 60, "max_new_tokens": 60})
    batch = prompts(16)
    marked = write(generator, batch, section, watermark=make_watermark(keys, 5, "cpu"))
    plain = write(generator, batch, section)

    def mean(texts: list[list[int]], secret: tuple[int, ...]) -> float:
        return sum(mean_g(ids, secret, 5) for ids in texts) / len(texts)

    assert mean(marked, keys) > 0.54
    assert mean(plain, keys) == pytest.approx(0.5, abs=0.02)
    assert mean(marked, others) == pytest.approx(0.5, abs=0.02)
    alone = write(generator, batch[3:4], section, watermark=make_watermark(keys, 5, "cpu"))
    assert alone[0] == marked[3]
    few = write(generator, batch, section, watermark=make_watermark(keys, 5, "cpu"), tokens_per_batch=300)
    assert few == marked
