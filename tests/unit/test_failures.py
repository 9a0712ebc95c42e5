"""What is said of a failure: enough to act on, and no value of a row."""

from reviewgen_spark.orchestration.failures import describe_failure


def test_a_full_disk_is_named_and_no_value_is() -> None:
    text = "Job aborted due to stage failure: 收货人张三\njava.io.IOException: No space left on device\n\tat java.base"
    said = describe_failure(RuntimeError(text))
    assert said.startswith("RuntimeError") and "the disk is full" in said and "张三" not in said
    assert "the disk is full" not in describe_failure(RuntimeError("no space for this"))
