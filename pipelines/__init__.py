"""A pipeline is a tuple of stages in the order in which they run."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reviewgen_spark.orchestration.job import Check
    from reviewgen_spark.orchestration.stage import Stage

PIPELINES = ("compress", "generate", "nightly", "pretrain", "train", "train_generator")


def stages_of(pipeline: str) -> "tuple[Stage, ...]":
    """The stages of one of PIPELINES; imported when asked for, as they bring Spark with them."""
    stages: tuple[Stage, ...] = import_module(f"{__name__}.{pipeline}").STAGES
    return stages


def check_of(pipeline: str) -> "Check | None":
    """What a run of one of PIPELINES checks after its last stage; None for nothing."""
    check: Check | None = getattr(import_module(f"{__name__}.{pipeline}"), "CHECK", None)
    return check


def purpose_of(pipeline: str) -> str:
    """Returns what one of PIPELINES does: the first line of its module's docstring."""
    return (import_module(f"{__name__}.{pipeline}").__doc__ or "").partition("\n")[0]


def all_stages() -> "tuple[Stage, ...]":
    """The stages of every pipeline, each once."""
    return tuple({stage.name: stage for pipeline in PIPELINES for stage in stages_of(pipeline)}.values())
