"""Compresses a distilled student: prunes it, trains it again, exports it to each runtime and measures every variant.

<out>/model/                         a model folder like any other
<out>/model.onnx                     the same for other runtimes, if compress.onnx is on
<out>/ngram_classifier.safetensors   the first step of the cascade, if compress.cascade is on
<out>/compression.json               the table of all variants, and the settings
"""

import copy
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from reviewgen_spark.config import CompressSection, DistilSection, EvaluateSection
from reviewgen_spark.models.classifier.heads import margins
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.classifier.model_folder import CURVE_FILE, MODEL_FILES, NGRAM_FILE, ONNX_FILE, read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.compression.distillation import distil, teacher_logits
from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier, fit_ngram_classifier
from reviewgen_spark.models.compression.onnx_export import export_onnx, require_onnx
from reviewgen_spark.models.compression.variants import (
    VariantFigures,
    cascade_variant,
    compare_variants,
    onnx_variant,
    torch_variant,
)
from reviewgen_spark.models.compression.weight_pruning import prune_feed_forward, zero_heads, zero_magnitudes
from reviewgen_spark.models.data.corpus import read_split
from reviewgen_spark.models.data.tasks import read_targets
from reviewgen_spark.models.training.classifier_scores import calibrate, run_model
from reviewgen_spark.models.training.optimizer import LoopSettings
from reviewgen_spark.models.training.trainer import save_weights

TABLE_FILE = "compression.json"
MODEL_FOLDER = "model"
SAMPLE_ROWS = 512  # training texts that importance is measured on


def compress(
    corpus: Path,
    unlabelled: Sequence[str],
    teacher: Path,
    student: Path,
    section: CompressSection,
    recovery: DistilSection,
    evaluation: EvaluateSection,
    out: Path,
    progress: Callable[[str], None],
    checkpoint: Path,
) -> list[VariantFigures]:
    """Makes the compressed model, its other files and the table of all variants.

    Units are removed first, then the model is distilled from the teacher again. Heads and weights are set to zero last,
    because training would change the zeros. The test split is read for the table only.

    Args:
        corpus: a labelled corpus.
        unlabelled: the texts that the student was distilled on.
        teacher: the teacher's model folder.
        student: the model folder of the distilled student.
        section: the `compress` section.
        recovery: the `distil` section, for the training of the pruned model.
        evaluation: the `evaluate` section, for bootstrap and seed.
        out: the folder to write.
        progress: called with lines that contain no review text.
        checkpoint: file that an interrupted recovery resumes from. `teacher_logits.npy` of the same folder is used.

    Raises:
        ConfigError: the model has no such parts.
        MissingExtraError: `compress.onnx` is on, and the extra is not installed.
        StageError: training failed, or the ONNX file gives other logits than torch.
    """
    if section.onnx:
        require_onnx()
    folder, pruned_folder = out / MODEL_FOLDER, checkpoint.with_name("pruned")

    def recover(pruned: Any) -> None:
        write_model(pruned, student, pruned_folder)
        recovery_section = recovery.model_copy(update={"epochs": section.recovery_epochs})
        distil(corpus, unlabelled, teacher, recovery_section, folder, progress, checkpoint, base=str(pruned_folder))

    prune(corpus, student, section, folder, progress, recover)
    variants = [torch_variant("teacher", teacher), torch_variant("student", student)]
    variants += [torch_variant("compressed", folder)]
    variants += [torch_variant(f"compressed_{kind}", folder, kind) for kind in ("bfloat16", "int8")]
    difference: float | None = None
    if section.onnx:
        difference = export_onnx(folder, out / ONNX_FILE)
        variants.append(onnx_variant("compressed_onnx", out / ONNX_FILE, folder))
        progress(f"{ONNX_FILE}: a logit differs from torch by {difference:.1e} at most")
    if section.cascade and len(read_settings(folder).heads) == 1:
        texts, logits_file = unlabelled[: recovery.max_unlabelled], checkpoint.with_name("teacher_logits.npy")
        teacher_predictor, compressed = Predictor(teacher, recovery.device), Predictor(folder, recovery.device)
        ngrams = fit_first_answers(corpus, texts, teacher_predictor, logits_file, compressed, section, progress)
        ngrams.save(out / NGRAM_FILE)
        variants.append(cascade_variant("compressed_cascade", ngrams, out / NGRAM_FILE, variants[-1]))
    figures = compare_variants(variants, read_split(corpus, "test"), evaluation, section.timed_rows, progress)
    table = {
        "settings": section.result_part(),
        "onnx_difference": difference,
        "variants": [asdict(row) for row in figures],
    }
    (out / TABLE_FILE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return figures


def fit_first_answers(
    corpus: Path,
    unlabelled: Sequence[str],
    teacher: Predictor,
    logits_file: Path,
    compressed: Predictor,
    section: CompressSection,
    progress: Callable[[str], None],
) -> NgramClassifier:
    """Fits the n-gram classifier that is the first step of the cascade.

    Args:
        corpus: a labelled corpus.
        unlabelled: more texts, for which only the teacher has labels.
        teacher: the teacher.
        logits_file: the file of the teacher's logits of all texts; it is read if it exists.
        compressed: the compressed model, which is the second step.
        section: the `compress` section.
        progress: called with lines that contain no review text.
    """
    labelled, validation = read_split(corpus, "train"), read_split(corpus, "validation")
    texts = [*labelled.texts, *unlabelled]
    teacher_odds = margins(teacher_logits(teacher, texts, progress, logits_file), teacher.settings.heads[0])
    compressed_labels = (compressed.score_texts(validation.texts) >= compressed.settings.threshold).astype(np.int64)
    ngrams = fit_ngram_classifier(
        texts,
        teacher_odds,
        labelled.labels,
        validation.texts,
        validation.labels,
        compressed_labels,
        section.cascade_disagreement,
    )
    progress(
        f"the n-gram classifier answers {ngrams.settings.answered_share:.1%} of validation and differs from the "
        f"model in {ngrams.settings.disagreement:.2%} of these answers"
    )
    return ngrams


def read_table(folder: Path) -> list[VariantFigures]:
    """Reads the table of variants from a folder that `compress` wrote."""
    content = json.loads((folder / TABLE_FILE).read_text(encoding="utf-8"))
    return [VariantFigures(**row) for row in content["variants"]]


def prune(
    corpus: Path,
    student: Path,
    section: CompressSection,
    out: Path,
    progress: Callable[[str], None],
    recover: Callable[[Any], None],
) -> None:
    """Applies `compress.methods` to a student and writes the result as a model folder with new temperatures.

    Args:
        corpus: importance is measured on its train split, temperatures are fitted on validation.
        student: a model folder.
        section: the `compress` section.
        out: the folder to write.
        progress: called with one line per method.
        recover: trains a pruned model further and writes it to `out`; not called with `recovery_epochs` 0.

    Raises:
        ConfigError: the model has no such parts.
    """
    settings, model = read_settings(student), load_classifier(student)
    tokenizer = Tokenizer(student / "tokenizer.json", settings.max_tokens)
    sample = [row.ids for row in tokenizer.encode(read_split(corpus, "train").texts[:SAMPLE_ROWS])]
    model = copy.deepcopy(model)  # the weights are memory-mapped; the student's file must not change
    if "feed_forward" in section.methods:
        width, model = model.config.intermediate_size, prune_feed_forward(model, section.feed_forward_share, sample)
        progress(f"feed-forward width {width:,} to {model.config.intermediate_size:,}")
        if section.recovery_epochs:
            recover(model)
            model = copy.deepcopy(load_classifier(out))
    if "heads" in section.methods:
        progress(f"{zero_heads(model, section.heads_share, sample):,} heads set to zero")
    if "magnitudes" in section.methods:
        progress(f"{zero_magnitudes(model, section.magnitudes_share):,} weights set to zero")
    write_model(model, student, out)
    validation = read_split(corpus, "validation", every_task=True)
    targets = read_targets({head.task: head.labels for head in settings.heads}, validation)
    rows = tokenizer.encode(validation.texts)
    loop = LoopSettings(stage="compress", epochs=1, learning_rate=0.0)  # float32 on the CPU
    pad_id = int(model.config.pad_token_id or 0)
    logits = run_model(model.eval(), rows, validation.record_ids, False, pad_id, loop)
    replace(
        settings,
        heads=tuple(calibrate(logits, targets[:, column], head) for column, head in enumerate(settings.heads)),
        base=f"{settings.base}, pruned ({', '.join(section.methods)})" if section.methods else settings.base,
        training={**settings.training, **{f"compress.{name}": value for name, value in section.result_part().items()}},
    ).write(out)


def write_model(model: Any, student: Path, out: Path) -> None:
    """Writes the weights, and copies the other files of the student's folder if they are missing here."""
    out.mkdir(parents=True, exist_ok=True)
    save_weights(model, out, "compress")
    for name in (*MODEL_FILES, CURVE_FILE, "tokenizer_config.json"):
        if not (out / name).exists():
            shutil.copyfile(student / name, out / name)
