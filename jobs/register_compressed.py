"""Registers the compressed model in MLflow; it gets its own alias if it loses little F1.

Reads the files of corpus and compress. Writes a version in the registry and ops_model_promotions.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.models.registry.teacher_note import check_teacher
from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import promotion_rows, read_scores
from reviewgen_spark.orchestration.resources.models import registry_and_teacher
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _register_compressed(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Registers the compressed model with its table; it gets its alias if it loses little F1."""
    from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, ONNX_FILE
    from reviewgen_spark.models.compression.compress import TABLE_FILE, read_table
    from reviewgen_spark.models.registry.promotion_gate import check_lines, judge_compressed
    from reviewgen_spark.models.registry.registration import register

    config, teacher, folder = inputs.config, inputs.resources, inputs.artifacts["compress"]
    section = config.register_compressed
    check_teacher("register_compressed", folder, teacher)
    table = {figures.name: figures for figures in read_table(folder)}
    verdict = judge_compressed(table["teacher"], table["compressed"], section)
    for line in check_lines(verdict):
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
        decide=lambda current: (verdict.promoted, verdict.reason),
        alias=section.alias,
        teacher=teacher,
        files=[folder / name for name in (TABLE_FILE, ONNX_FILE, NGRAM_FILE) if (folder / name).is_file()],
    )
    outcome = f"is {section.alias}" if decision.promoted else f"does not become {section.alias}"
    inputs.report(f"{decision.model.name} version {decision.model.version} {outcome}: {decision.reason}")
    return {
        "ops_model_promotions": promotion_rows(
            inputs, decision, "register_compressed", folder.name, alias=section.alias
        )
    }


STAGE = Stage(
    name="register_compressed",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "compress"),
    writes=("ops_model_promotions",),
    sections=("register_compressed", "models"),
    mode="by_fingerprint",
    resources=registry_and_teacher,
    run=_register_compressed,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
