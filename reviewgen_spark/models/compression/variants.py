"""Compares the variants of a compression: size, speed on one thread, and loss of F1.

All variants predict the same test rows. The same pre-tokenised sample is timed on the CPU, in turns.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.config import EvaluateSection
from reviewgen_spark.models.classifier.heads import probabilities
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.model_folder import ModelSettings, read_settings
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier
from reviewgen_spark.models.compression.onnx_export import load_onnx
from reviewgen_spark.models.data.batches import cut_by_token_budget, pad
from reviewgen_spark.models.data.corpus import Examples
from reviewgen_spark.models.evaluation.metrics import Interval, bootstrap_counts, confusion, paired_f1_gain

TURNS = 3  # how often each variant is timed
TOKENS_PER_BATCH = 4096
Floats = npt.NDArray[np.float64]
Answer = Callable[[Sequence[Sequence[int]]], Floats]  # token ids of one batch -> (B, width of all heads) logits


@dataclass(frozen=True)
class Variant:
    """Holds a model that is ready to run. `tokenizer` and `settings` are those of its folder."""

    name: str
    answer: Answer
    tokenizer: Tokenizer
    settings: ModelSettings
    size_mb: float
    parameters: int
    first: NgramClassifier | None = None  # the first step of a cascade


@dataclass(frozen=True)
class VariantFigures:
    """Holds a row of the table. F1 and agreement are on all test rows; low and high are the 95 % interval."""

    name: str
    size_mb: float  # of the weights, in 10^6 bytes
    parameters: int  # outside the embeddings, zeros not counted
    rows_per_s: float  # one thread, pre-tokenised, median of three turns; n-gram hashing is included
    f1: float
    f1_low: float
    f1_high: float
    f1_lost: float  # against the teacher, paired
    f1_lost_low: float
    f1_lost_high: float
    agreement: float  # share of rows that get the teacher's label


def torch_variant(name: str, folder: Path, precision: str = "float32") -> Variant:
    """Loads a model folder in `float32`, `bfloat16` or `int8`; `int8` multiplies in 8 bits and scales inputs by batch.

    Raises:
        ModelNotFoundError: the folder is not a model folder.
    """
    settings = read_settings(folder)
    model: Any = load_classifier(folder).eval()
    count, size_mb = _parameters(model), _size_mb(model.state_dict().values())
    pad_id = int(model.config.pad_token_id or 0)
    if precision == "bfloat16":
        model.to(torch.bfloat16)
        size_mb = _size_mb(model.state_dict().values())
    elif precision == "int8":
        linear = sum(module.weight.numel() for module in model.modules() if isinstance(module, torch.nn.Linear))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch deprecates it in favour of torchao
            model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
        size_mb -= linear * 3 / 1e6  # four bytes become one; one scale per matrix is negligible

    def answer(rows: Sequence[Sequence[int]]) -> Floats:
        ids, mask = pad(rows, pad_id)  # (B, T), (B, T)
        with torch.inference_mode():
            return np.asarray(model(input_ids=ids, attention_mask=mask).logits.double().numpy())

    return Variant(name, answer, Tokenizer(folder / "tokenizer.json", settings.max_tokens), settings, size_mb, count)


def onnx_variant(name: str, file: Path, folder: Path) -> Variant:
    """Loads a file that `export_onnx` made of a model folder."""
    settings, model = read_settings(folder), load_classifier(folder)
    answer = load_onnx(file, int(model.config.pad_token_id or 0))
    tokenizer = Tokenizer(folder / "tokenizer.json", settings.max_tokens)
    return Variant(name, answer, tokenizer, settings, file.stat().st_size / 1e6, _parameters(model))


def cascade_variant(name: str, first: NgramClassifier, file: Path, second: Variant) -> Variant:
    """Returns a cascade: the n-gram classifier saved as `file`, then a variant that reads the other texts."""
    return replace(second, name=name, first=first, size_mb=second.size_mb + file.stat().st_size / 1e6)


def compare_variants(
    variants: Sequence[Variant],
    examples: Examples,
    section: EvaluateSection,
    timed_rows: int,
    progress: Callable[[str], None],
) -> list[VariantFigures]:
    """Scores and times every variant, and compares the others with the first, which is the teacher.

    Args:
        variants: the teacher first.
        examples: the test split.
        section: the number of bootstrap samples, and the seed of them and of the timed sample.
        timed_rows: the number of rows that are timed.
        progress: called with one line per variant.
    """
    tokens = [[row.ids for row in variant.tokenizer.encode(examples.texts)] for variant in variants]
    order = np.random.default_rng(section.seed).permutation(len(examples))[:timed_rows]
    texts = [examples.texts[index] for index in order]
    samples = [(texts, [rows[index] for index in order]) for rows in tokens]
    speeds = time_in_turns(variants, samples)
    figures: list[VariantFigures] = []
    teacher_labels: npt.NDArray[np.int64] | None = None
    for variant, rows, speed in zip(variants, tokens, speeds, strict=True):
        positive = score_all(variant, examples.texts, rows)
        labels = (positive >= variant.settings.threshold).astype(np.int64)  # (N,)
        teacher_labels = labels if teacher_labels is None else teacher_labels
        f1 = bootstrap_counts(confusion(examples.labels, labels), section.bootstrap_samples, section.seed)["f1"]
        lost = paired_f1_gain(examples.labels, teacher_labels, labels, section.bootstrap_samples, section.seed)
        figures.append(_figures(variant, speed, f1, lost, float((labels == teacher_labels).mean())))
        progress(format_figures(figures[-1]))
    return figures


def format_figures(figures: VariantFigures) -> str:
    """Formats a row of the table as one line of text."""
    return (
        f"{figures.name:<20} {figures.size_mb:8.1f} MB {figures.parameters / 1e6:8.2f} M "
        f"{figures.rows_per_s:8.0f} rows/s  "
        f"F1 {figures.f1:.4f} ({figures.f1_low:.4f} to {figures.f1_high:.4f})  lost {figures.f1_lost:+.4f} "
        f"({figures.f1_lost_low:+.4f} to {figures.f1_lost_high:+.4f})  agrees {figures.agreement:.1%}"
    )


def time_in_turns(
    variants: Sequence[Variant], samples: Sequence[tuple[Sequence[str], Sequence[Sequence[int]]]]
) -> list[float]:
    """Returns the median rows per second of each variant on the same texts, timed in turns on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds: list[list[float]] = [[] for _ in variants]
    try:
        for variant, (_, rows) in zip(variants, samples, strict=True):
            variant.answer(rows[:1])  # the first call is slower
        for _ in range(TURNS):
            for taken, variant, (texts, rows) in zip(seconds, variants, samples, strict=True):
                started = time.perf_counter()
                score_all(variant, texts, rows)
                taken.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return [len(rows) / statistics.median(taken) for taken, (_, rows) in zip(seconds, samples, strict=True)]


def score_all(variant: Variant, texts: Sequence[str], rows: Sequence[Sequence[int]]) -> Floats:
    """Returns (N,) calibrated probabilities of positive for rows of token ids."""
    head = variant.settings.heads[0]
    if variant.first is None:
        return probabilities(answer_all(variant.answer, rows), head)[:, 1]
    positive = variant.first.answers(texts)[:, 1]
    unanswered: list[int] = np.flatnonzero(np.isnan(positive)).tolist()
    if unanswered:
        logits = answer_all(variant.answer, [rows[index] for index in unanswered])
        positive[unanswered] = probabilities(logits, head)[:, 1]
    return positive


def answer_all(answer: Answer, rows: Sequence[Sequence[int]]) -> Floats:
    """Returns (N, width of all heads) logits in the order of the rows; a batch holds rows of similar length."""
    all_logits: Floats | None = None
    keys = [f"{index:09d}" for index in range(len(rows))]
    for batch in cut_by_token_budget([len(row) for row in rows], keys, TOKENS_PER_BATCH):
        logits = answer([rows[index] for index in batch])
        all_logits = np.zeros((len(rows), logits.shape[1])) if all_logits is None else all_logits
        all_logits[batch] = logits
    assert all_logits is not None  # an empty split is refused when it is read
    return all_logits


def _figures(variant: Variant, speed: float, f1: Interval, lost: Interval, agreement: float) -> VariantFigures:
    return VariantFigures(
        name=variant.name,
        size_mb=round(variant.size_mb, 3),
        parameters=variant.parameters,
        rows_per_s=round(speed, 1),
        f1=f1.value,
        f1_low=f1.low,
        f1_high=f1.high,
        f1_lost=lost.value,
        f1_lost_low=lost.low,
        f1_lost_high=lost.high,
        agreement=agreement,
    )


def _parameters(model: Any) -> int:
    """Counts the weights outside the embeddings that are not zero."""
    return sum(int(torch.count_nonzero(weight)) for name, weight in model.named_parameters() if "embedding" not in name)


def _size_mb(tensors: Any) -> float:
    return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors) / 1e6)
