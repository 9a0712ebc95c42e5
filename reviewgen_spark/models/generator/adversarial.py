"""Trains a generator adversarially: the reward is the score of a discriminator of real and generated texts.

The generator was trained by likelihood before. It is updated by REINFORCE (Williams 1992) as in SeqGAN (Yu et al.
2017). The reward is the discriminator's score of the whole text. The baseline is the mean reward of the batch. The loss
also has the likelihood of the real texts, because without it the generator collapses to one text. Source: Li et al.
2017, Adversarial Learning for Neural Dialogue Generation, section 3.2. The discriminator is also used as a re-ranker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from reviewgen_spark.config import DecodingSection
from reviewgen_spark.models.bases.encoder import Shape
from reviewgen_spark.models.data.batches import pad
from reviewgen_spark.models.decoding.decoding import Prompt, Specials, continue_prompts
from reviewgen_spark.models.generator.text_task import ExampleRow, text_loss
from reviewgen_spark.models.training.objectives import IGNORED
from reviewgen_spark.models.training.trainer import autocast

Ids = list[int]
Reward = Callable[[Sequence[Ids]], npt.NDArray[np.float64]]
"""Maps texts as tokens to their rewards (N,); a higher reward is better."""


@dataclass(frozen=True)
class AdversarialSettings:
    """Sets the training of generator and discriminator.

    Attributes:
        steps: Training steps of the generator.
        batch_size: Requests per step; one text is generated for each.
        learning_rate: Learning rate of the generator; far below that of likelihood training.
        likelihood_share: Share of the likelihood in the generator's loss; the rest is the share of the reward.
        discriminator_steps: Training steps of the discriminator before each step of the generator.
        warmup_steps: Training steps of the discriminator alone, at the beginning.
        discriminator_rate: Learning rate of the discriminator.
        text_tokens: Tokens of the longest text that is sampled.
        temperature: Logits are divided by it when a text is sampled.
    """

    steps: int = 200
    batch_size: int = 32
    learning_rate: float = 2e-5
    likelihood_share: float = 0.5
    discriminator_steps: int = 1
    warmup_steps: int = 50
    discriminator_rate: float = 1e-3
    text_tokens: int = 64
    temperature: float = 1.0
    max_grad_norm: float = 1.0
    seed: int = 42
    precision: str = "float32"
    device: str = "cpu"


class Discriminator:
    """Computes the probability that a person wrote a text, by a small encoder of its tokens with the end token."""

    def __init__(self, vocabulary: int, pad_id: int, text_tokens: int, settings: AdversarialSettings) -> None:
        """Initialises its weights from torch's seed.

        Args:
            vocabulary: number of tokens of the generator.
            pad_id: the generator's padding token.
            text_tokens: tokens of the longest text; longer texts are cut.
            settings: learning rate, device and precision.
        """
        from transformers import BertConfig, BertForSequenceClassification

        shape = Shape(layers=2, hidden=128, heads=2)
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.hidden,
            max_position_embeddings=text_tokens,
            num_labels=1,
            pad_token_id=pad_id,
        )
        self.settings, self._pad_id, self._width = settings, pad_id, text_tokens
        self.model: Any = BertForSequenceClassification(config).to(settings.device)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.discriminator_rate)

    def learn(self, real: Sequence[Ids], generated: Sequence[Ids]) -> float:
        """Runs one training step on texts of both kinds; returns the accuracy on them before the step."""
        self.model.train()
        with autocast(self.settings.device, self.settings.precision):
            logits = self._logits([*real, *generated])  # (B,)
        targets = torch.cat([torch.ones(len(real)), torch.zeros(len(generated))]).to(logits.device)
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self._optimizer.step()
        return float(((logits > 0) == (targets > 0)).float().mean())

    def score(self, texts: Sequence[Ids]) -> npt.NDArray[np.float64]:
        """Returns (N,) the probability that each text is real, used as reward and to rank candidates."""
        self.model.eval()
        with torch.inference_mode(), autocast(self.settings.device, self.settings.precision):
            scores = [self._logits(texts[start : start + 64]).sigmoid() for start in range(0, len(texts), 64)]
        return np.asarray(torch.cat(scores).double().cpu().numpy())

    def _logits(self, texts: Sequence[Ids]) -> torch.Tensor:
        ids, mask = pad([text[: self._width] for text in texts], self._pad_id, self.settings.device)
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float()
        return logits


def train_adversarially(
    model: Any,
    rows: Sequence[ExampleRow],
    specials: Specials,
    settings: AdversarialSettings,
    progress: Callable[[str], None],
    reward: Reward | None = None,
) -> tuple[Discriminator, list[dict[str, float]]]:
    """Trains a causal generator in place.

    Args:
        model: the generator, already trained by likelihood.
        rows: requests, each with its real text.
        specials: special tokens of its tokenizer.
        settings: settings of the training.
        progress: called with a line every 20 steps; the lines have no review text.
        reward: used instead of the discriminator's score.

    Returns:
        The final discriminator, and a point per step. A point has the mean reward, and the discriminator's accuracy on
        texts before it is trained on them.
    """
    rng = np.random.default_rng(settings.seed)
    vocabulary = model.get_input_embeddings().num_embeddings
    discriminator = Discriminator(vocabulary, specials.pad_id, settings.text_tokens + 1, settings)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0)

    def draw() -> tuple[list[ExampleRow], list[Ids]]:
        chosen = [rows[index] for index in rng.integers(0, len(rows), settings.batch_size)]
        return chosen, sample(model, [row.prompt for row in chosen], specials, settings, rng)

    for _ in range(settings.warmup_steps if reward is None else 0):
        real, generated = draw()
        discriminator.learn([row.text for row in real], generated)
    curve: list[dict[str, float]] = []
    for step in range(1, settings.steps + 1):
        accuracies: list[float] = []
        for _ in range(settings.discriminator_steps if reward is None else 0):
            real, generated = draw()
            accuracies.append(discriminator.learn([row.text for row in real], generated))
        real, generated = draw()
        rewards = (reward or discriminator.score)(generated)  # (B,)
        advantage = (rewards - rewards.mean()) / max(float(rewards.std()), 1e-6)
        model.train()
        sampled = [ExampleRow(row.prompt, text, 0) for row, text in zip(real, generated, strict=True)]
        with autocast(settings.device, settings.precision):
            log_probabilities, lengths = text_log_probabilities(model, sampled, specials, settings)
            weights = torch.as_tensor(advantage, dtype=torch.float32, device=settings.device)
            # Divided by the length of all texts of the batch. Division of each text by its own length would reward
            # bad long texts.
            loss = -(weights * log_probabilities).sum() / lengths.sum() * (1 - settings.likelihood_share)
            if settings.likelihood_share:
                total, tokens = text_loss(model, real, "causal", specials.pad_id, settings.device)
                loss = loss + settings.likelihood_share * total / max(1, tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, settings.max_grad_norm)
        optimizer.step()
        point = {"step": float(step), "reward": float(rewards.mean())}
        if accuracies:
            point["discriminator_accuracy"] = float(np.mean(accuracies))
        curve.append(point)
        if step % 20 == 0 or step == settings.steps:
            recent = curve[-20:]
            means = {name: float(np.mean([point[name] for point in recent])) for name in recent[-1] if name != "step"}
            progress(f"step {step}: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    model.eval()
    return discriminator, curve


def text_log_probabilities(
    model: Any, rows: Sequence[ExampleRow], specials: Specials, settings: AdversarialSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns (B,) the log probability of each text as it was sampled, and (B,) its number of tokens."""
    ids, mask = pad([row.prompt + row.text for row in rows], specials.pad_id, settings.device)  # (B, T), (B, T)
    labels, _ = pad([[IGNORED] * len(row.prompt) + row.text for row in rows], IGNORED, settings.device)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float() / settings.temperature  # (B, T - 1, V)
    logits[..., list(specials.banned)] = -torch.inf
    labels = labels[:, 1:]  # (B, T - 1)
    losses = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")  # (B, T - 1)
    return -losses.sum(1), (labels != IGNORED).sum(1)


def sample(
    model: Any, prompts: Sequence[Ids], specials: Specials, settings: AdversarialSettings, rng: np.random.Generator
) -> list[Ids]:
    """Samples one text per prompt from the unchanged distribution of the model; its end token, if any, is included."""
    model.eval()
    requests = [Prompt(ids, int(seed)) for ids, seed in zip(prompts, rng.integers(0, 2**62, len(prompts)), strict=True)]
    plain = DecodingSection(
        temperature=settings.temperature,
        top_k=0,
        top_p=1,
        repetition_penalty=1,
        no_repeat_ngram=0,
        max_new_tokens=settings.text_tokens,
    )
    with autocast(settings.device, settings.precision):
        generated = dict(continue_prompts(model, requests, plain, specials))
    texts = [generated[index] for index in range(len(requests))]
    return [[*text.ids, specials.end_id] if text.is_finished else text.ids for text in texts]


def choose_best(
    discriminator: Discriminator, candidates: Sequence[Sequence[Ids]]
) -> tuple[list[Ids], npt.NDArray[np.float64]]:
    """Returns the candidate of each request with the highest score of the discriminator, and that score (N,)."""
    scores = discriminator.score([text for texts in candidates for text in texts])
    chosen, best, start = list[Ids](), list[float](), 0
    for texts in candidates:
        candidate_scores = scores[start : start + len(texts)]
        start += len(texts)
        index = int(candidate_scores.argmax())
        chosen.append(texts[index])
        best.append(float(candidate_scores[index]))
    return chosen, np.asarray(best)
