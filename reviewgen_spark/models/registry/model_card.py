"""Writes model cards: use, figures and training settings of a model, for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from reviewgen_spark.models.classifier.model_folder import ModelSettings
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.generator.generator_folder import GeneratorSettings

HEADLINE = ("accuracy", "precision", "recall", "f1", "f1_macro", "auc", "ece")


def write_card(settings: ModelSettings, scores: Sequence[Score], params: Mapping[str, Any], sha256: str) -> str:
    """Returns the card of a classifier in Markdown, after Mitchell et al., Model Cards for Model Reporting (2019)."""
    lines = [
        f"# {settings.task}: {' or '.join(settings.labels)}",
        "",
        f"Fine-tuned from `{settings.base}` on corpus `{settings.corpus_fingerprint}`; reads {settings.max_tokens} "
        f"tokens of a text. Probabilities are calibrated on validation (temperature {settings.temperature:.3f}). A "
        f"text is positive from a probability of {settings.threshold} on. sha256 `{sha256}`.",
        "",
        "## Use",
        "Labelling product reviews in the language of its training corpus. Not for texts about people, and not for "
        "decisions about single customers: see the error rates below.",
        "",
        "## Figures",
        "On the frozen splits, with 95 % bootstrap intervals. The epoch and the temperature were chosen on validation.",
        "",
        "| split | model | rows | metric | value | 95 % |",
        "|---|---|---|---|---|---|",
        *(_row(score) for score in scores if score.slice_name == "all" and score.metric in HEADLINE),
        "",
        "## Weakest slices (F1 on test, at least 30 rows)",
        "",
        "| slice | rows | F1 | 95 % |",
        "|---|---|---|---|",
        *(f"| {s.slice_name} | {s.rows} | {s.value:.3f} | {_interval(s)} |" for s in _weakest(scores)),
        "",
        "## Training",
        "",
        *(f"- {name}: {value}" for name, value in sorted({**settings.training, **params}.items())),
    ]
    return "\n".join(lines) + "\n"


def write_generator_card(settings: GeneratorSettings, scores: Sequence[Score], sha256: str) -> str:
    """Returns the card of a generator in Markdown, with the figures of its baselines and of real texts."""
    lines = [
        f"# Generator: {', '.join(settings.purposes)}",
        "",
        f"A {settings.kind} model, fine-tuned from `{settings.base}` on corpus `{settings.corpus_fingerprint}`; "
        f"{settings.max_tokens} tokens, {settings.text_tokens} of them for a text. sha256 `{sha256}`.",
        "",
        "## Use",
        "Texts that are marked as machine-written, for the purposes above, after their checks. Never as a customer's "
        "review: 16 CFR 465; China's e-commerce law, article 17.",
        "",
        "## Figures",
        "On the frozen test split. `bits_per_character` shows how well a model predicts the real texts from their "
        "requests (the n-gram model gets no requests). `texts/...` measure texts that were written for test requests. "
        "They are compared with n-gram texts, retrieved training texts and the real texts.",
        "",
        "| model | texts | metric | value | 95 % |",
        "|---|---|---|---|---|",
        *(f"| {s.model} | {s.rows} | {s.metric} | {s.value:.4f} | {_interval(s)} |" for s in scores),
        "",
        "## Training",
        "",
        *(f"- {name}: {value}" for name, value in sorted(settings.training.items())),
    ]
    return "\n".join(lines) + "\n"


def _weakest(scores: Sequence[Score]) -> list[Score]:
    slices = [
        score
        for score in scores
        # A rating slice has almost only one label, so its F1 has no meaning.
        if (score.model, score.split, score.metric) == ("model", "test", "f1")
        and score.slice_name.startswith(("category=", "lang="))
        and score.rows >= 30
    ]
    return sorted(slices, key=lambda score: score.value)[:5]


def _row(score: Score) -> str:
    return f"| {score.split} | {score.model} | {score.rows} | {score.metric} | {score.value:.4f} | {_interval(score)} |"


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"
