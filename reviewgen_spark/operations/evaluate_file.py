"""Scores a registered model on any labelled file, for `reviewgen evaluate`, without Spark."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reviewgen_spark.config import Config
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import DataQualityError
from reviewgen_spark.inference.labelling.label import require_label_model
from reviewgen_spark.inference.shipping.ship import files_beside
from reviewgen_spark.inference.shipping.worker import open_first_answers, open_predictor
from reviewgen_spark.models.data.corpus import Examples
from reviewgen_spark.models.data.labelled_file import LabelledTexts
from reviewgen_spark.orchestration.resources.models import label_model

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier

REPORT_EVERY_S = 10.0
CHUNK = 2_000


@dataclass(frozen=True)
class FileEvaluation:
    """Holds the model, the data and the scores; `--json` writes all of it."""

    model: dict[str, Any]
    data: dict[str, Any]
    scores: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """Returns the scores as printable lines."""
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in self.data["left_out"].items()) or "none"
        lines = [
            f"{self.model['name']} version {self.model['version']} ({self.model['base']}) on {self.data['scored']:,} "
            f"of {self.data['rows']:,} rows, left out: {left_out}",
            "",
        ]
        whole = [score for score in self.scores if score["slice_name"] == "all"]
        for score in whole:
            if score["low"] is None:
                continue
            lines.append(
                f"  {score['metric']:<12} {score['value']:.4f}   95 %: {score['low']:.4f} to {score['high']:.4f}"
            )
        cells = {score["metric"]: int(score["value"]) for score in whole if score["low"] is None}
        lines += ["", f"  {'':<18} labelled negative  labelled positive"]
        lines += [f"  {'is negative':<18} {cells['tn']:>17,}  {cells['fp']:>17,}"]
        lines += [f"  {'is positive':<18} {cells['fn']:>17,}  {cells['tp']:>17,}", ""]
        for score in self.scores:
            if score["slice_name"] != "all" and score["metric"] == "accuracy":
                lines.append(f"  accuracy {score['value']:.4f} on {score['rows']:>7,} rows of {score['slice_name']}")
        return lines


@progress_bars()
def evaluate_file(
    config: Config, model: str, path: Path, data: LabelledTexts, is_raw: bool, progress: Callable[[str], None]
) -> FileEvaluation:
    """Scores a registered model on labelled texts.

    Args:
        config: Configuration of the registry, the cleaning and the sampling of scores.
        model: NAME@ALIAS or NAME@VERSION.
        path: File with the texts; its hash is part of the result.
        data: Content of that file.
        is_raw: Whether texts are scored unchanged; otherwise they are cleaned first, as in the pipeline.
        progress: Called with a line every few seconds.

    Raises:
        ConfigError: `model` does not have that form, or is not a sentiment model.
        ModelNotFoundError: There is no such model.
        DataQualityError: Cleaning leaves rows of one label only.
    """
    from reviewgen_spark.models.classifier.model_folder import read_settings, require_sentiment
    from reviewgen_spark.models.evaluation.evaluation import score_split
    from reviewgen_spark.models.registry.registry import parse_reference

    name, alias = parse_reference(model)
    beside = files_beside(config.label)
    resolved = label_model(config, alias, name, keeps=bool(beside))
    if resolved.warning:
        progress(resolved.warning)
    pinned = resolved.model
    require_sentiment(read_settings(pinned.path), f"--model {model}")
    require_label_model(pinned, config.label)
    section = config.label
    predictor = open_predictor(pinned.path, beside, section.device, section.precision, section.threads, section.compile)
    first = open_first_answers(pinned.path, beside)
    examples, unreadable = _examples(data, config, is_raw)
    started = reported = time.monotonic()
    chunks: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    # Sorted by length over the whole file, so that the texts of a chunk have similar lengths.
    order = np.argsort([len(text) for text in examples.texts], kind="stable")
    advance = add_bar("rows", len(order))
    for start in range(0, len(order), CHUNK):
        chunks.append(_score_texts(predictor, first, [examples.texts[row] for row in order[start : start + CHUNK]]))
        advance(len(chunks[-1]))
        if time.monotonic() - reported > REPORT_EVERY_S:
            reported = time.monotonic()
            done = start + CHUNK
            progress(f"{min(done, len(order)):,} of {len(order):,} rows, {done / (reported - started):.0f} rows/s")
    scores = np.zeros(len(order))
    scores[order] = np.concatenate(chunks)
    left_out = data.left_out | {reason: count for reason, count in unreadable.items() if count}
    return FileEvaluation(
        model={
            "name": pinned.name,
            "version": pinned.version,
            "sha256": pinned.sha256,
            "base": predictor.settings.base,
        },
        data={
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": data.rows,
            "scored": len(examples),
            "left_out": left_out,
            "is_cleaned": not is_raw,
            "seed": config.evaluate.seed,
            "seconds": round(time.monotonic() - started, 2),
        },
        scores=[asdict(score) for score in score_split("model", examples, scores, config.evaluate)],
    )


def _score_texts(
    predictor: "Predictor", first: "NgramClassifier | None", texts: list[str]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Scores texts as the label stage does: first by the n-gram classifier, then the rest by the model."""
    if first is None:
        return predictor.score_texts(texts)
    scores = first.answers(texts)[:, 1]
    rest = np.flatnonzero(np.isnan(scores))
    if len(rest):
        scores[rest] = predictor.score_texts([texts[row] for row in rest])
    return scores


def write_json(evaluation: FileEvaluation, out: Path) -> None:
    """Writes the evaluation atomically by a rename, so that a reader never sees a partial file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    staged = out.with_name(out.name + ".part")
    staged.write_text(json.dumps(asdict(evaluation), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    staged.replace(out)


def _examples(data: LabelledTexts, config: Config, is_raw: bool) -> tuple[Examples, dict[str, int]]:
    """Returns the texts that the label stage would read, and counts the others by reason."""
    texts: list[str | None] = list(data.texts)
    if not is_raw:
        from reviewgen_spark.text.cleaning.cleaner import Cleaner

        cleaner = Cleaner(config.clean)
        cleaned = [cleaner.clean(text) for text in data.texts]
        texts, langs = [row.text_clean for row in cleaned], [row.lang_code for row in cleaned]
    else:
        langs = [""] * len(texts)
    max_chars = None if is_raw else config.label.max_chars
    has_text = np.array([bool(text) for text in texts], dtype=bool)
    is_too_long = np.array([max_chars is not None and len(text or "") > max_chars for text in texts], dtype=bool)
    readable = np.flatnonzero(has_text & ~is_too_long)
    if len(set(data.labels[readable])) < 2:
        raise DataQualityError(
            f"--data: of {data.rows:,} rows {len(readable):,} have a text that the model reads; both labels are needed "
            "among these rows"
        )
    examples = Examples(
        split="test",
        record_ids=[str(row) for row in readable],
        texts=[texts[row] or "" for row in readable],
        labels=data.labels[readable],
        columns={
            "category": data.slices[readable],
            "rating": np.full(len(readable), None, dtype=object),
            "lang_code": np.asarray([langs[row] or None for row in readable], dtype=object),
        },
    )
    unreadable = {
        "nothing left after cleaning": int(np.sum(~has_text)),
        "longer than label.max_chars": int(np.sum(is_too_long)),
    }
    return examples, unreadable
