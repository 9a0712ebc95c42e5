"""Tests the steps of the demo."""

from reviewgen_spark.pipelines import generate, nightly, train

from reviewgen_spark.operations.demo.demo import STEPS


def test_the_steps_run_every_stage_once() -> None:
    names = [stage.name for _, stages in STEPS for stage in stages]
    assert len(names) == len(set(names))
    assert set(names) == {stage.name for stage in (*nightly.STAGES, *train.STAGES, *generate.WITHOUT_MODEL)}
    assert names.index("weak_labels") < names.index("corpus") < names.index("register") < names.index("label")
