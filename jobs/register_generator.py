"""Registers the generator in MLflow under the alias that `reply` and `generate` use.

Reads the files of corpus, finetune_generator and evaluate_generator. Writes a version in the registry and
ops_model_promotions.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reviewgen_spark.orchestration.job import run_job
from reviewgen_spark.orchestration.model_log import promotion_rows, read_scores
from reviewgen_spark.orchestration.resources.models import generator_store
from reviewgen_spark.orchestration.stage import Inputs, Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _register_generator(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Registers the generator; the stages that write texts use the newest one."""
    from reviewgen_spark.models.registry import generators

    config, folder = inputs.config, inputs.artifacts["finetune_generator"]
    alias = config.generation.alias if not config.generation.alias.isdecimal() else "generator"
    decision = generators.register_generator(
        folder,
        read_scores(inputs.artifacts["evaluate_generator"]),
        inputs.fingerprint,
        tags={
            "reviewgen.fingerprint": inputs.fingerprint,
            "reviewgen.corpus": inputs.artifacts["corpus"].name,
            "reviewgen.finetune_generator": folder.name,
        },
        name=config.generation.name,
        alias=alias,
        tracking_uri=config.paths.tracking_uri,
        artifact_root=Path(config.paths.model_artifacts),
    )
    inputs.report(f"{decision.model.name} version {decision.model.version} is {alias}")
    rows = promotion_rows(inputs, decision, "register_generator", folder.name, alias=alias)
    return {"ops_model_promotions": rows}


STAGE = Stage(
    name="register_generator",
    version=1,
    scope="table",
    reads=(),
    uses=("corpus", "finetune_generator", "evaluate_generator"),
    writes=("ops_model_promotions",),
    sections=("generation",),
    mode="by_fingerprint",
    resources=generator_store,
    run=_register_generator,
)

if __name__ == "__main__":
    sys.exit(run_job(STAGE))
