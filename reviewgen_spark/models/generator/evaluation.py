"""Scores a generator on unseen requests: the likelihood of their real texts, and the texts that it generates.

The baselines are a character n-gram model, and retrieval of a real training review with a similar request. The real
texts of the test split show the best possible value of each figure.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reviewgen_spark.config import DecodingSection, EvaluateGeneratorSection
from reviewgen_spark.errors import DataQualityError, RequestError
from reviewgen_spark.models.decoding.decoding import Prompt, Specials, continue_prompts
from reviewgen_spark.models.evaluation.evaluation import Score
from reviewgen_spark.models.generator.examples import Example
from reviewgen_spark.models.generator.generator_folder import Generator, load_generator
from reviewgen_spark.models.generator.ngram_baseline import UNKNOWN_BITS, NgramModel
from reviewgen_spark.models.generator.text_metrics import CharacterRunIndex, measure_texts
from reviewgen_spark.models.generator.text_task import EVALUATION_TOKENS, ExampleRow, text_bits

BOOTSTRAP_SAMPLES = 1000


def evaluate_generator(
    folder: Path,
    training: Sequence[Example],
    test: Sequence[Example],
    section: EvaluateGeneratorSection,
    decoding: DecodingSection,
    device: str = "cpu",
) -> list[Score]:
    """Returns the scores of a generator and of its baselines.

    Args:
        folder: the generator.
        training: examples that it was trained on.
        test: examples that it was not trained on, which give the requests and the reference texts.
        section: number of texts, and the seed.
        decoding: settings of the decoding.
        device: `cpu` or `cuda`.

    Raises:
        DataQualityError: the test split has too few examples that fit the generator.
    """
    generator = load_generator(folder, device)
    rng = np.random.default_rng(section.seed)
    fitting = [(example, row) for example in test if (row := _row(generator, example))]
    if len(fitting) < 2 * section.texts:
        raise DataQualityError(
            f"evaluate_generator: {len(fitting):,} test examples fit the generator, 2 x {section.texts} are needed; "
            "ingest more reviews, or lower evaluate_generator.texts"
        )
    order = rng.permutation(len(fitting))
    fitting = [fitting[index] for index in order]
    texts = [example.text for example, _row in fitting]
    training_texts = [example.text for example in training]
    characters = np.asarray([len(text) for text in texts])
    ngram = NgramModel(training_texts)
    bits = text_bits(
        generator.model, [row for _example, row in fitting], generator.settings.kind, device, generator.tokenizer.pad_id
    )
    bits += UNKNOWN_BITS * np.asarray([generator.tokenizer.count_unknown(text) for text in texts])
    scores = [
        _ratio("generator", "bits_per_character", bits, characters, rng),
        _ratio("ngram", "bits_per_character", ngram.bits(texts), characters, rng),
    ]
    # One half gives the requests, the other the real texts, because no text must be compared with itself.
    requested = [example for example, _row in fitting[: section.texts]]
    references = texts[section.texts :]
    real, judge = references[: section.texts], NgramModel(references[section.texts :] or references)
    copied_runs = CharacterRunIndex(training_texts)
    generated = {
        "generator": write_texts(generator, requested, decoding, section.seed),
        "ngram": [ngram.generate(rng) for _ in requested],
        "retrieval": retrieve(requested, training, rng),
        "real": [example.text for example in requested],
    }
    for model, written in generated.items():
        nonempty = [text for text in written if text]
        for name, value in asdict(measure_texts(nonempty, copied_runs, judge, real, section.seed)).items():
            scores.append(Score(model, "test", "all", f"texts/{name}", value, None, None, len(nonempty)))
    return scores


def write_texts(generator: Generator, examples: Sequence[Example], decoding: DecodingSection, seed: int) -> list[str]:
    """Generates a text for the request of each example; the text is '' if the model generates none."""
    tokenizer, model, settings, _copies = generator
    specials = Specials(tokenizer.end_id, tokenizer.pad_id, tuple(tokenizer.banned_ids))
    prompts = [Prompt(tokenizer.encode_prompt(example.request), seed + index) for index, example in enumerate(examples)]
    capped = decoding.model_copy(update={"max_new_tokens": min(decoding.max_new_tokens, settings.text_tokens)})
    texts = [""] * len(prompts)
    for index, text in continue_prompts(model, prompts, capped, specials, EVALUATION_TOKENS, settings.max_tokens):
        texts[index] = tokenizer.decode(text.ids)
    return texts


def retrieve(requested: Sequence[Example], training: Sequence[Example], rng: np.random.Generator) -> list[str]:
    """Returns for each request a training text of equal purpose, language, sentiment, category and length.

    Of 50 sampled candidates, the one with most of the keywords is returned. If no training text is equal in these
    fields, all training texts are candidates.
    """
    by_codes: dict[tuple[Any, ...], list[Example]] = {}
    for example in training:
        by_codes.setdefault(_codes(example), []).append(example)
    retrieved: list[str] = []
    for example in requested:
        candidates = by_codes.get(_codes(example)) or list(training)
        drawn = [candidates[index] for index in rng.integers(0, len(candidates), 50)]
        shared = [sum(word in other.text for word in example.request.keywords) for other in drawn]
        retrieved.append(drawn[int(np.argmax(shared))].text)
    return retrieved


def _codes(example: Example) -> tuple[Any, ...]:
    request = example.request
    return request.purpose, request.lang_code, request.sentiment, request.category, request.length


def _row(generator: Generator, example: Example) -> ExampleRow | None:
    try:
        text = generator.tokenizer.encode_text(example.text)
        return ExampleRow(generator.tokenizer.encode_prompt(example.request), text, len(example.text)) if text else None
    except RequestError:
        return None


def _ratio(
    model: str,
    metric: str,
    bits: npt.NDArray[np.float64],
    characters: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Score:
    """Returns bits per character of all texts, with a 95 % bootstrap interval over texts."""
    drawn = rng.integers(0, len(bits), (BOOTSTRAP_SAMPLES, len(bits)))
    low, high = np.quantile(bits[drawn].sum(axis=1) / characters[drawn].sum(axis=1), [0.025, 0.975])
    return Score(model, "test", "all", metric, float(bits.sum() / characters.sum()), float(low), float(high), len(bits))
