"""B4: a compressed student against its teacher: rows a second, and the F1 that it costs.

    python benchmarks/b4_compressed.py --teacher RUN/model --student RUN2/model --corpus CORPUS --ngrams FILE

Both answer the corpus' test split, pre-tokenised, in one single-threaded process a core, in turns; each at the fastest
of the settings that are tried (float32, bfloat16, int8, and onnx where its extra is installed), and F1 is of that one.
With --ngrams the student has one more setting, the cascade that `label.cascade` runs. A file that is not there yet is
fitted as `reviewgen run compress` does, to the corpus and to --unlabelled; the teacher's answers are kept beside it.
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
    """Fit the classifier that answers before the student."""
    texts, asked = read_unlabelled(unlabelled, corpus), Predictor(teacher, precision="bfloat16")
    keep = out.with_name(TEACHER_LOGITS)
    fit_first_answers(corpus, texts, asked, keep, Predictor(student), CompressSection(), print).save(out)


def main() -> int:
    parser = arguments(__doc__, rows=0)
    parser.add_argument("--teacher", type=Path, required=True, help="a model folder")
    parser.add_argument("--student", type=Path, required=True, help="a model folder")
    parser.add_argument("--corpus", type=Path, required=True, help="a corpus folder; its test split is answered")
    has_onnx = all(find_spec(name) for name in LIBRARIES)
    every = ["float32", "bfloat16", "int8", *(["onnx"] if has_onnx else [])]
    parser.add_argument("--settings", nargs="+", choices=every, default=every, help="default: all there are")
    parser.add_argument("--ngrams", type=Path, help="the n-gram classifier of a cascade")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], help="corpus folders to fit it to, besides")
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
        given = ("--model", str(options.student), "--corpus", str(options.corpus), "--rows", str(options.rows))
        more = ("--setting", "cascade", "--ngrams", str(options.ngrams))
        contestants.append(Contestant("student cascade", "answer.py", (*given, *more)))
    truth = read_split(options.corpus, "test").labels[: options.rows or None]
    with tempfile.TemporaryDirectory() as folder:
        said = take_turns(contestants, lambda one: Path(folder) / one.name.replace(" ", "-"), options.turns)
        speeds = {name: len(truth) / median(found) for name, found in said.items()}
        labels = {name: np.load(Path(folder) / name.replace(" ", "-") / "labels.npy") for name in said}
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
        processes=next(iter(said.values()))[0]["processes"],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
