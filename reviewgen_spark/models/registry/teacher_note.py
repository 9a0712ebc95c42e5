"""The stages of the pipeline `compress`, between the runner and the models: files in, files and rows out."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.errors import StageError
from reviewgen_spark.orchestration.model_log import evaluation_rows, promotion_rows, read_scores, write_scores
from reviewgen_spark.orchestration.stage import Inputs

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.registry.registry import RegisteredModel

TEACHER_LOGITS, TEACHER = "teacher_logits.npy", "teacher.json"


def distil_student(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Train the student; fills the output folder with its model and with what the teacher said of each text."""
    from reviewgen_spark.models.compression.distillation import distil
    from reviewgen_spark.models.training.pretraining import read_texts

    teacher, base = inputs.assets
    unlabelled = read_texts(inputs.artifacts["pretraining_corpus"], "train")
    checkpoint = inputs.checkpoints / "distil.pt"
    found = distil(
        inputs.artifacts["corpus"],
        unlabelled,
        teacher.path,
        inputs.config.distil,
        inputs.out / "model",
        inputs.report,
        checkpoint,
        base,
    )
    # The recovery of a pruned student reads them again: asking a big teacher takes longer than teaching.
    shutil.copyfile(checkpoint.with_name(TEACHER_LOGITS), inputs.out / TEACHER_LOGITS)
    note_teacher(inputs.out, teacher)
    inputs.report(
        f"taught by {teacher.name} version {teacher.version} on {found.rows:,} labelled and {found.unlabelled_rows:,} "
        f"unlabelled rows: validation F1 {found.validation_f1:.4f}"
    )
    return {}


def compress_student(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Prune, export and measure; rows for ops_model_evaluations, and scores.json for the registry."""
    from reviewgen_spark.models.compression.compress import compress
    from reviewgen_spark.models.evaluation.evaluation import evaluate
    from reviewgen_spark.models.training.pretraining import read_texts

    config, corpus, distilled = inputs.config, inputs.artifacts["corpus"], inputs.artifacts["distil"]
    check_teacher("compress", distilled, inputs.assets)
    note_teacher(inputs.out, inputs.assets)
    inputs.checkpoints.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(distilled / TEACHER_LOGITS, inputs.checkpoints / TEACHER_LOGITS)
    compress(
        corpus=corpus,
        unlabelled=read_texts(inputs.artifacts["pretraining_corpus"], "train"),
        teacher=inputs.assets.path,
        student=distilled / "model",
        section=config.compress,
        recovery=config.distil,
        evaluation=config.evaluate,
        out=inputs.out,
        progress=inputs.report,
        checkpoint=inputs.checkpoints / "compress.pt",
    )
    scores = evaluate(inputs.out / "model", corpus, config.evaluate, device=config.distil.device, baselines=False)
    write_scores(inputs.out, scores)
    return {"ops_model_evaluations": evaluation_rows(inputs, scores, inputs.fingerprint)}


def register_compressed(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Log and register the compressed model with its table; it takes its alias when it costs little F1."""
    from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, ONNX_FILE
    from reviewgen_spark.models.compression.compress import TABLE_FILE, read_table
    from reviewgen_spark.models.registry.promotion_gate import judge_compressed, tell_checks
    from reviewgen_spark.models.registry.registration import register

    config, teacher, folder = inputs.config, inputs.assets, inputs.artifacts["compress"]
    section = config.register_compressed
    check_teacher("register_compressed", folder, teacher)
    table = {figures.name: figures for figures in read_table(folder)}
    verdict = judge_compressed(table["teacher"], table["compressed"], section)
    for line in tell_checks(verdict):
        inputs.report(line)
    decision = register(
        model_dir=folder / "model",
        scores=read_scores(folder),
        fingerprint=inputs.fingerprint,
        params={},
        tags={
            "reviewgen.fingerprint": inputs.fingerprint,
            "reviewgen.corpus": inputs.artifacts["corpus"].name,
            "reviewgen.compress": folder.name,
        },
        name=config.models.name,
        tracking_uri=config.paths.tracking_uri,
        artifact_root=Path(config.paths.model_artifacts),
        decide=lambda standing: (verdict.promoted, verdict.reason),
        alias=section.alias,
        teacher=teacher,
        files=[folder / name for name in (TABLE_FILE, ONNX_FILE, NGRAM_FILE) if (folder / name).is_file()],
    )
    did = f"is {section.alias}" if decision.promoted else f"does not become {section.alias}"
    inputs.report(f"{decision.model.name} version {decision.model.version} {did}: {decision.reason}")
    return {
        "ops_model_promotions": promotion_rows(
            inputs, decision, "register_compressed", folder.name, alias=section.alias
        )
    }


def note_teacher(folder: Path, teacher: "RegisteredModel") -> None:
    """Write beside a student who taught it."""
    facts = {"name": teacher.name, "version": teacher.version, "sha256": teacher.sha256}
    (folder / TEACHER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def check_teacher(stage: str, folder: Path, teacher: "RegisteredModel") -> None:
    """Make sure that a student is this teacher's: another may have become champion since.

    Raises:
        StageError: it is not.
    """
    found = json.loads((folder / TEACHER).read_text(encoding="utf-8"))
    if found["sha256"] != teacher.sha256:
        raise StageError(
            f"{stage}: the student was taught by {found['name']} version {found['version']}, and distil.teacher is now "
            f"version {teacher.version}; run `reviewgen run compress`, which distils again"
        )
