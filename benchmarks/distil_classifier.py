"""Distils a model folder into a small one on a corpus folder and scores it, without Spark.

    python benchmarks/distil_classifier.py --corpus CORPUS --teacher RUN/model --unlabelled CORPUS --out RUN2 \
        --set base=teacher:3 --set epochs=6 --prune feed_forward_share=0.5

It writes the files of train_classifier.py; with --prune also RUN2/compressed, as in the stage `compress`. Unlabelled
texts that are copies of test rows are left out.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
from train_classifier import log_scores, values_of

from reviewgen_spark.config import CompressSection, DistilSection, EvaluateSection
from reviewgen_spark.models.compression.compress import compress
from reviewgen_spark.models.compression.distillation import distil
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.evaluation import evaluate
from reviewgen_spark.text.cleaning.cleaner import key_of


def read_unlabelled(folders: list[Path], corpus: Path) -> list[str]:
    """Returns the training texts of corpus folders, without copies of the test rows of another corpus."""
    test_keys = {key_of(text) for text in read_split(corpus, "test").texts}
    return [
        text
        for folder in folders
        for text in pq.read_table(folder / "train", columns=["text"]).column("text").to_pylist()
        if key_of(text) not in test_keys
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="a model folder")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], help="corpus folders; their train is read")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a key of distil; repeatable")
    parser.add_argument("--prune", action="append", default=[], metavar="NAME=VALUE", help="a key of compress")
    options = parser.parse_args()
    section, started = DistilSection(**values_of(options.set)), time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {line}", flush=True)

    texts = read_unlabelled(options.unlabelled, options.corpus)
    student = distil(
        options.corpus, texts, options.teacher, section, options.out / "model", log, options.out / "checkpoint.pt"
    )
    (options.out / "checkpoint.pt").unlink(missing_ok=True)
    scores = evaluate(
        student.folder, options.corpus, EvaluateSection(robustness_rows=0), splits=("test",), baselines=False
    )
    facts = {
        "teacher": str(options.teacher.parent.name),
        "corpus": options.corpus.name,
        "settings": section.result_part(),
        "rows": student.rows,
        "unlabelled_rows": student.unlabelled_rows,
        "parameters": student.parameters,
        "best_epoch": student.best_epoch,
        "validation_f1": student.validation_f1,
        "seconds": round(student.seconds),
        "scores": [asdict(score) for score in scores],
    }
    (options.out / "scores.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    log_scores(scores, log)
    if options.prune:
        compress(
            options.corpus,
            texts,
            options.teacher,
            student.folder,
            CompressSection(**values_of(options.prune)),
            section,
            EvaluateSection(robustness_rows=0),
            options.out / "compressed",
            log,
            options.out / "recovery.pt",
        )
        (options.out / "recovery.pt").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
