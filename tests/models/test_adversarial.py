"""Tests that a reward changes a generator, and that a discriminator is trained and ranks texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from reviewgen_spark.models.decoding.decoding import Specials
from reviewgen_spark.models.generator.adversarial import (
    AdversarialSettings,
    Discriminator,
    choose_best,
    sample,
    text_log_probabilities,
    train_adversarially,
)
from reviewgen_spark.models.generator.control_codes import PromptTokenizer
from reviewgen_spark.models.generator.generator_folder import load_tokenizer
from reviewgen_spark.models.generator.text_task import ExampleRow, text_bits
from reviewgen_spark.text.requests.request import TextRequest
from tests.models.generators import make_generator

SETTINGS = AdversarialSettings(
    steps=60, batch_size=16, learning_rate=3e-3, likelihood_share=0.0, warmup_steps=10, text_tokens=8
)


@pytest.fixture(params=["causal", "gpt2"])
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, PromptTokenizer, Specials]:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    make_generator(tmp_path, request.param)
    tokenizer = load_tokenizer(tmp_path)
    specials = Specials(tokenizer.end_id, tokenizer.pad_id, tuple(tokenizer.banned_ids))
    return AutoModelForCausalLM.from_pretrained(tmp_path), tokenizer, specials


def make_rows(tokenizer: PromptTokenizer, texts: Sequence[str]) -> list[ExampleRow]:
    prompts = [TextRequest("augmentation", "p", "zh", category=name) for name in ("手机", None)]
    return [
        ExampleRow(tokenizer.encode_prompt(prompts[index % 2]), tokenizer.encode_text(text) or [], len(text))
        for index, text in enumerate(texts)
    ]


def test_training_raises_the_reward(loaded: tuple[Any, PromptTokenizer, Specials]) -> None:
    model, tokenizer, specials = loaded
    token = (tokenizer.encode_text("好") or [])[0]

    def share(texts: Sequence[list[int]]) -> npt.NDArray[np.float64]:
        return np.asarray([text.count(token) / SETTINGS.text_tokens for text in texts])

    rows = make_rows(tokenizer, ["好好", "房间"])
    _discriminator, curve = train_adversarially(model, rows, specials, SETTINGS, lambda line: None, reward=share)
    before, after = (np.mean([point["reward"] for point in part]) for part in (curve[:5], curve[-5:]))
    assert before < 0.1 and after > 0.5


def test_likelihood_alone_lowers_the_bits_of_real_texts(loaded: tuple[Any, PromptTokenizer, Specials]) -> None:
    """The reward is always 0, so only the likelihood of the real texts is trained."""
    model, tokenizer, specials = loaded
    rows = make_rows(tokenizer, ["房间很好", "服务不错"] * 4)
    before = text_bits(model.eval(), rows, "causal", "cpu", specials.pad_id).mean()
    settings = AdversarialSettings(steps=20, batch_size=8, learning_rate=3e-3, likelihood_share=1.0, text_tokens=8)
    train_adversarially(model, rows, specials, settings, lambda line: None, reward=lambda texts: np.zeros(len(texts)))
    assert text_bits(model.eval(), rows, "causal", "cpu", specials.pad_id).mean() < before / 2


def test_the_probability_of_a_text_does_not_depend_on_its_batch(loaded: tuple[Any, PromptTokenizer, Specials]) -> None:
    model, tokenizer, specials = loaded
    rows = make_rows(tokenizer, ["房间很好服务不错", "好"])
    model.eval()
    together, lengths = text_log_probabilities(model, rows, specials, SETTINGS)
    alone, _ = text_log_probabilities(model, rows[1:], specials, SETTINGS)
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)
    assert lengths.tolist() == [9, 2] and bool((together < 0).all())


def test_the_discriminator_separates_and_ranks_texts() -> None:
    torch.manual_seed(1)
    settings = AdversarialSettings(discriminator_rate=3e-3)
    discriminator = Discriminator(60, 0, 8, settings)
    rng = np.random.default_rng(1)
    real = [[10, *rng.integers(20, 40, 4).tolist(), 3] for _ in range(64)]
    written = [[11, *rng.integers(20, 40, 4).tolist(), 3] for _ in range(64)]
    accuracies = [discriminator.learn(real[:32], written[:32]) for _ in range(25)]
    assert accuracies[0] < 0.8 and accuracies[-1] > 0.95
    assert discriminator.score(real[32:]).mean() > 0.9 > 0.1 > discriminator.score(written[32:]).mean()
    chosen, scores = choose_best(discriminator, [[written[40], real[40]], [real[41]], [written[42], written[43]]])
    assert chosen[:2] == [real[40], real[41]] and chosen[2] in written[42:44]
    assert scores[0] > 0.9 > scores[2]


def test_equal_seeds_draw_equal_texts_without_banned_tokens(loaded: tuple[Any, PromptTokenizer, Specials]) -> None:
    model, tokenizer, specials = loaded
    prompts = [row.prompt for row in make_rows(tokenizer, ["好"] * 6)]
    one, two = (sample(model, prompts, specials, SETTINGS, np.random.default_rng(5)) for _ in range(2))
    assert one == two and all(0 < len(text) <= SETTINGS.text_tokens + 1 for text in one)
    assert not {number for text in one for number in text} & set(specials.banned)
