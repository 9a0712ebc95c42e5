"""Registers the model in MLflow; it becomes champion if it is better than the current one.

Reads the files of corpus, finetune and evaluate. Writes a version in the registry and ops_model_promotions.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import promotion_rows, read_scores
from reviewgen_spark.orchestration.resources.models import registry_store
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.registry.registry import RegisteredModel


def _register(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Registers the model; it becomes champion if it is better than the current one on this corpus."""
    from reviewgen_spark.models.registry.registration import register
    from reviewgen_spark.reports.model_page import FILE_NAME as PAGE_FILE

    config = inputs.config
    folder = inputs.artifacts["finetune"]
    manifest = json.loads((inputs.artifacts["corpus"] / "manifest.json").read_text(encoding="utf-8"))
    decision = register(
        model_dir=folder,
        scores=read_scores(inputs.artifacts["evaluate"]),
        fingerprint=inputs.fingerprint,
        params={"labels": manifest["labels"]},
        tags={
            "reviewgen.fingerprint": inputs.fingerprint,
            "reviewgen.corpus": inputs.artifacts["corpus"].name,
            "reviewgen.finetune": folder.name,
        },
        name=config.models.name,
        tracking_uri=config.paths.tracking_uri,
        artifact_root=Path(config.paths.model_artifacts),
        decide=lambda champion: _decide(inputs, champion),
        files=[inputs.artifacts["evaluate"] / name for name in ("curves.json", PAGE_FILE)],
    )
    verdict = "is champion" if decision.promoted else "stays candidate"
    inputs.report(f"{decision.model.name} version {decision.model.version} {verdict}: {decision.reason}")
    return {"ops_model_promotions": promotion_rows(inputs, decision, "register", folder.name)}


def _decide(inputs: Inputs, champion: "RegisteredModel | None") -> tuple[bool, str]:
    """Compares candidate and champion on the same test rows, because scores of different splits cannot be compared."""
    from reviewgen_spark.models.registry.candidate_scoring import judge_candidate
    from reviewgen_spark.models.registry.promotion_gate import check_lines

    corpus, folder = inputs.artifacts["corpus"], inputs.artifacts["finetune"]
    verdict = judge_candidate(inputs.config, corpus, folder, champion.path if champion else None)
    for line in check_lines(verdict):
        inputs.report(line)
    return verdict.promoted, verdict.reason


STAGE = Stage(
    name="register",
    version=2,
    scope="table",
    reads=(),
    uses=("corpus", "finetune", "evaluate"),
    writes=("ops_model_promotions",),
    sections=("register", "models"),
    mode="by_fingerprint",
    resources=registry_store,
    run=_register,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
