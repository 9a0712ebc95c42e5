"""Tests that the message of a failure names its cause and holds no value of a row."""

from reviewgen_spark.orchestration.failures import describe_failure


def test_a_message_names_a_full_disk_and_holds_no_value() -> None:
    text = "Job aborted due to stage failure: 收货人张三\njava.io.IOException: No space left on device\n\tat java.base"
    message = describe_failure(RuntimeError(text))
    assert message.startswith("RuntimeError") and "the disk is full" in message and "张三" not in message
    assert "the disk is full" not in describe_failure(RuntimeError("no space for this"))
