"""B4: compares a compressed student with its teacher: rows per second, and the lost F1.

    python benchmarks/b4_compressed.py --teacher RUN/model --student RUN2/model --corpus CORPUS --ngrams FILE

Both score the pre-tokenised test split of the corpus in turns, in one single-threaded process for each core. The
fastest setting of each model counts, with its F1: float32, bfloat16, int8, or onnx if its extra is installed. With
--ngrams the student has one more setting, the cascade of `label.cascade`. A missing n-gram file is fitted as in
`reviewgen run compress`, to the corpus and to --unlabelled; the logits of the teacher are stored beside it.
"""

import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from distil_classifier import read_unlabelled
from turns import Contestant, arguments, bar, conclude, median, take_turns

from reviewgen_spark.config import CompressSection
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.compression.compress import fit_first_answers
from reviewgen_spark.models.compression.onnx_export import LIBRARIES
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.evaluation.metrics import bootstrap_counts, confusion, paired_f1_gain
from reviewgen_spark.models.registry.teacher_note import TEACHER_LOGITS

SPEED_BAR, F1_BAR = 8.0, 0.007
SAMPLES, SEED = 1000, 42


def fit_ngrams(teacher: Path, student: Path, corpus: Path, unlabelled: list[Path], out: Path) -> None:
    """Fits the n-gram classifier of the cascade."""
    texts, predictor = read_unlabelled(unlabelled, corpus), Predictor(teacher, precision="bfloat16")
    logits_file = out.with_name(TEACHER_LOGITS)
    fit_first_answers(corpus, texts, predictor, logits_file, Predictor(student), CompressSection(), print).save(out)


def main() -> int:
    parser = arguments(__doc__, rows=0)
    parser.add_argument("--teacher", type=Path, required=True, help="a model folder")
    parser.add_argument("--student", type=Path, required=True, help="a model folder")
    parser.add_argument("--corpus", type=Path, required=True, help="a corpus folder; its test split is scored")
    has_onnx = all(find_spec(name) for name in LIBRARIES)
    every = ["float32", "bfloat16", "int8", *(["onnx"] if has_onnx else [])]
    parser.add_argument("--settings", nargs="+", choices=every, default=every, help="default: all available")
    parser.add_argument("--ngrams", type=Path, help="the n-gram classifier of a cascade")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], help="more corpus folders to fit it to")
    options = parser.parse_args()
    if options.ngrams and not options.ngrams.is_file():
        fit_ngrams(options.teacher, options.student, options.corpus, options.unlabelled, options.ngrams)
    models = {"teacher": options.teacher, "student": options.student}
    contestants = [
        Contestant(
            f"{who} {setting}",
            "answer.py",
            (
                "--model",
                str(folder),
                "--corpus",
                str(options.corpus),
                "--setting",
                setting,
                "--rows",
                str(options.rows),
            ),
        )
        for setting in options.settings
        for who, folder in models.items()
    ]
    if options.ngrams:
        command_options = (
            "--model",
            str(options.student),
            "--corpus",
            str(options.corpus),
            "--rows",
            str(options.rows),
        )
        more = ("--setting", "cascade", "--ngrams", str(options.ngrams))
        contestants.append(Contestant("student cascade", "answer.py", (*command_options, *more)))
    truth = read_split(options.corpus, "test").labels[: options.rows or None]
    with tempfile.TemporaryDirectory() as folder:
        results_by_name = take_turns(contestants, lambda one: Path(folder) / one.name.replace(" ", "-"), options.turns)
        speeds = {name: len(truth) / median(results) for name, results in results_by_name.items()}
        labels = {name: np.load(Path(folder) / name.replace(" ", "-") / "labels.npy") for name in results_by_name}
    best = {who: max((name for name in speeds if name.startswith(who)), key=speeds.__getitem__) for who in models}
    figures = {}
    for name, speed in speeds.items():
        f1 = bootstrap_counts(confusion(truth, labels[name]), SAMPLES, SEED)["f1"]
        figures[name] = {"rows_per_s": round(speed, 1), "f1": asdict(f1)}
        print(f"  {name:<20} {speed:9.0f} rows/s  F1 {f1.value:.4f} ({f1.low:.4f} to {f1.high:.4f})")
    lost = paired_f1_gain(truth, labels[best["teacher"]], labels[best["student"]], SAMPLES, SEED)
    print(f"  best: {best['teacher']}, {best['student']}; F1 lost 95 %: {lost.low:+.4f} to {lost.high:+.4f}")
    bars = [
        bar("rows/s of the student / of the teacher", speeds[best["student"]] / speeds[best["teacher"]], SPEED_BAR),
        bar("F1 lost", lost.value, F1_BAR, at_most=True),
    ]
    conclude(
        "B4",
        len(truth),
        f"test split of {options.corpus.name}",
        bars,
        options.json,
        full=not options.rows,
        settings=figures,
        best=best,
        f1_lost=asdict(lost),
        processes=next(iter(results_by_name.values()))[0]["processes"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
