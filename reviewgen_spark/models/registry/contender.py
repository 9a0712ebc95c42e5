"""Scores a model folder on test rows, for the promotion gate."""

from pathlib import Path

import numpy as np

from reviewgen_spark.config import Config
from reviewgen_spark.models.data.corpus import Examples
from reviewgen_spark.models.registry.promotion_gate import (
    ScoredModel,
    TestRows,
    decide_labels,
)

LATENCY_TEXTS = 32


def snapshot_of(examples: Examples) -> TestRows:
    """The labels and slices of a split."""
    return TestRows(examples.labels, examples.slices)


def contend(config: Config, model: Path, examples: Examples) -> ScoredModel:
    """Run a model folder over the rows."""
    from reviewgen_spark.models.classifier.predictor import Predictor, measure_latency_ms

    predictor = Predictor(model, config.finetune.device)
    return ScoredModel(
        predictions=decide_labels(predictor.score_texts(examples.texts), predictor.settings.threshold),
        labels=predictor.settings.labels,
        size_mb=folder_size_mb(model),
        latency_ms=measure_latency_ms(predictor, examples.texts[:LATENCY_TEXTS]),
    )


def folder_size_mb(folder: Path) -> float:
    """What a model takes on disk and on the wire, in 10^6 bytes."""
    return float(np.sum([path.stat().st_size for path in folder.iterdir() if path.is_file()]) / 1e6)
