"""Trains one classifier on a corpus folder and scores it, without Spark.

    python benchmarks/train_classifier.py --corpus CORPUS --base embedded --out RUN --set epochs=3 --set dropout=0

It writes the model to RUN/model, every score to RUN/scores.json and its page to RUN/model_page.html. An interrupted
training resumes from RUN/checkpoint.pt.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reviewgen_spark.config import EvaluateSection, FinetuneSection
from reviewgen_spark.models.evaluation.evaluation import Score, evaluate_with_curves
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.reports.model_page import write_model_page


def values_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Parses `name=value` pairs; a value that is not JSON is a text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    return values


def log_scores(scores: Sequence[Score], log: Callable[[str], None]) -> None:
    """Logs one line for each F1 and accuracy, with their intervals."""
    for score in scores:
        if score.metric in ("f1", "accuracy", "f1_macro") and score.low is not None:
            interval = f"[{score.low:.4f}, {score.high:.4f}]"
            log(f"{score.model} {score.slice_name} {score.metric} {score.value:.4f} {interval} {score.rows} rows")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--base", default="embedded", help="as models.base")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a key of finetune; repeatable"
    )
    parser.add_argument("--robustness-rows", type=int, default=0)
    parser.add_argument("--baselines", action="store_true", help="also TF-IDF with logistic regression, and majority")
    options = parser.parse_args()
    section, started = FinetuneSection(**values_of(options.set)), time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {line}", flush=True)

    result = finetune(options.corpus, options.base, section, options.out / "model", log, options.out / "checkpoint.pt")
    (options.out / "checkpoint.pt").unlink(missing_ok=True)
    scores, curves = evaluate_with_curves(
        result.folder,
        options.corpus,
        EvaluateSection(robustness_rows=options.robustness_rows),
        splits=("validation", "test"),
        baselines=options.baselines,
    )
    write_model_page(result.folder, scores, curves, result.train_rows, options.out)
    facts = {
        "base": options.base,
        "corpus": options.corpus.name,
        "settings": section.result_part(),
        "train_rows": result.train_rows,
        "parameters": result.parameters,
        "trained_parameters": result.trained_parameters,
        "best_epoch": result.best_epoch,
        "validation_f1": result.validation_f1,
        "seconds": round(result.seconds),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "scores": [asdict(score) for score in scores],
    }
    (options.out / "scores.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for score in scores:
        if score.metric in ("f1", "accuracy", "f1_macro") and score.low is not None:
            interval = f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"
            log(f"{score.split} {score.model} {score.slice_name} {score.metric} {interval} {score.rows:,} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
