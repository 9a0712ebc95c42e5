from argparse import ArgumentTypeError

import pytest
from reviewgen_spark.pipelines import all_stages

from reviewgen_spark.orchestration.backlog import Force
from reviewgen_spark.orchestration.job import positive


def test_force_covers_a_stage_a_batch_or_a_range() -> None:
    assert Force("clean").covers("clean", 3) and Force("clean").covers("clean", None)
    assert not Force("clean").covers("dedup", 3)
    assert [batch for batch in range(6) if Force("clean", 2, 4).covers("clean", batch)] == [2, 3, 4]
    assert [batch for batch in range(6) if Force("clean", 2).covers("clean", batch)] == [2]


def test_a_newest_first_stage_does_not_read_its_own_history() -> None:
    newest_first = {stage.name: stage for stage in all_stages() if stage.newest_first}
    assert newest_first.keys() == {"label", "reply", "generate"}
    assert not any(set(stage.history) & set(stage.writes) for stage in newest_first.values())


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_max_batches_must_be_a_positive_integer(text: str) -> None:
    assert positive("12") == 12
    with pytest.raises(ArgumentTypeError, match="from 1"):
        positive(text)
