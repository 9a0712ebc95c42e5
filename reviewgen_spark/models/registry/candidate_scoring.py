"""Scores a candidate and a champion on the test rows of a corpus, for the promotion gate."""

from pathlib import Path

import numpy as np

from reviewgen_spark.config import Config
from reviewgen_spark.models.data.corpus import Examples, read_split
from reviewgen_spark.models.registry.promotion_gate import (
    GateResult,
    ScoredModel,
    TestRows,
    decide_labels,
    judge,
)

LATENCY_TEXTS = 32


def judge_candidate(config: Config, corpus: Path, candidate: Path, champion: Path | None) -> GateResult:
    """Returns the gate's result for a candidate; both models are scored on the test rows of one corpus.

    Args:
        config: the limits of the gate, and the device.
        corpus: folder of the corpus.
        candidate: model folder of the candidate.
        champion: model folder of the champion; None if no champion can be read.
    """
    examples = read_split(corpus, "test")
    candidate_scored = score_model(config, candidate, examples)
    champion_scored = score_model(config, champion, examples) if champion else None
    return judge(rows_of(examples), candidate_scored, champion_scored, config.register)


def rows_of(examples: Examples) -> TestRows:
    """Returns the labels and slices of a split."""
    return TestRows(examples.labels, examples.slices)


def score_model(config: Config, model: Path, examples: Examples) -> ScoredModel:
    """Runs a model folder on the rows; measures its size and latency."""
    from reviewgen_spark.models.classifier.predictor import Predictor, measure_latency_ms

    predictor = Predictor(model, config.finetune.device)
    return ScoredModel(
        predictions=decide_labels(predictor.score_texts(examples.texts), predictor.settings.threshold),
        labels=predictor.settings.labels,
        size_mb=folder_size_mb(model),
        latency_ms=measure_latency_ms(predictor, examples.texts[:LATENCY_TEXTS]),
    )


def folder_size_mb(folder: Path) -> float:
    """Returns the size of a model's files, in 10^6 bytes."""
    return float(np.sum([path.stat().st_size for path in folder.iterdir() if path.is_file()]) / 1e6)
