"""Lists the pipelines. A pipeline is a tuple of stages in the order in which they run."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reviewgen_spark.orchestration.job import PipelineCheck
    from reviewgen_spark.orchestration.stage import Stage

PIPELINES = ("compress", "generate", "nightly", "pretrain", "train", "train_generator")


def stages_of(pipeline: str) -> "tuple[Stage, ...]":
    """Returns the stages of one of PIPELINES. The import is in the function because stages import Spark."""
    stages: tuple[Stage, ...] = import_module(f"{__name__}.{pipeline}").STAGES
    return stages


def check_of(pipeline: str) -> "PipelineCheck | None":
    """Returns the check that runs after the last stage of one of PIPELINES, or None."""
    check: PipelineCheck | None = getattr(import_module(f"{__name__}.{pipeline}"), "CHECK", None)
    return check


def purpose_of(pipeline: str) -> str:
    """Returns what one of PIPELINES does: the first line of its module's docstring."""
    return (import_module(f"{__name__}.{pipeline}").__doc__ or "").partition("\n")[0]


def all_stages() -> "tuple[Stage, ...]":
    """Returns the stages of all pipelines, each once."""
    return tuple({stage.name: stage for pipeline in PIPELINES for stage in stages_of(pipeline)}.values())
