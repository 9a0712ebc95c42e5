"""Compares two registered models on the same rows: checks of the gate and changed labels, without Spark."""

from collections.abc import Callable
from pathlib import Path

from reviewgen_spark.config import Config
from reviewgen_spark.errors import SchemaError
from reviewgen_spark.models.data.corpus import corpus_fingerprint, read_split
from reviewgen_spark.models.registry.candidate_scoring import rows_of, score_model
from reviewgen_spark.models.registry.promotion_gate import (
    check_lines,
    flips,
    judge,
)
from reviewgen_spark.models.registry.registry import resolve
from reviewgen_spark.orchestration.artifacts import Artifacts


def compare_models(config: Config, one: str, other: str, progress: Callable[[str], None]) -> list[str]:
    """Returns printable lines: the checks of the gate for `one` against `other`, then changed labels by category.

    Args:
        config: Configuration with the registry and the corpus.
        one: Alias or version of the new model.
        other: Alias or version of the model to replace.
        progress: Called with a line at each step.

    Raises:
        ModelNotFoundError: There is no such model.
        SchemaError: There is no corpus to compare on.
    """
    corpus = newest_corpus(config)
    examples = read_split(corpus, "test")
    models = [resolve(config.models.name, name, config.paths.tracking_uri) for name in (one, other)]
    scored = []
    for model in models:
        progress(f"scoring {len(examples):,} rows with version {model.version}")
        scored.append(score_model(config, model.path, examples))
    new, old = scored
    test_rows = rows_of(examples)
    lines = [
        f"version {models[0].version} instead of version {models[1].version}, on the {len(examples):,} test rows of "
        f"corpus {corpus_fingerprint(corpus)[:12]}",
        *(f"  {line}" for line in check_lines(judge(test_rows, new, old, config.register))),
        "",
        f"  {'category':<20} {'rows':>8} {'to positive':>12} {'to negative':>12} {'flipped':>8}",
    ]
    for category, rows, to_positive, to_negative in flips(test_rows, new.predictions, old.predictions):
        share = (to_positive + to_negative) / rows
        lines.append(f"  {category:<20} {rows:>8,} {to_positive:>12,} {to_negative:>12,} {share:>8.1%}")
    return lines


def newest_corpus(config: Config) -> Path:
    """Returns the folder that the corpus stage published last.

    Raises:
        SchemaError: There is none.
    """
    folder = Artifacts(config.paths.artifacts).latest("corpus")
    if not folder.is_dir():
        raise SchemaError(
            f"{folder}: there is no corpus to compare models on; create one with `reviewgen run train --until corpus`"
        )
    return folder
