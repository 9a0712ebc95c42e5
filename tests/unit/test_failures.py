"""Tests that the message of a failure names its cause and holds no value of a row."""

from reviewgen_spark.orchestration.failures import describe_failure


def test_a_file_that_cannot_be_read_is_named_with_its_table() -> None:
    text = "[FAILED_READ_FILE.NO_HINT] reading file file:/w/silver_tokens/batch_id=3/part-0-a.c000.zstd.parquet. 张三"
    message = describe_failure(RuntimeError(text))
    assert "the file batch_id=3/part-0-a.c000.zstd.parquet of the table silver_tokens cannot be read" in message
    assert "`reviewgen repair silver_tokens`" in message and "张三" not in message
    assert "repair" not in describe_failure(RuntimeError("file:/landing/reviews/part-0.parquet FAILED_READ_FILE"))


def test_a_message_names_a_full_disk_and_holds_no_value() -> None:
    text = "Job aborted due to stage failure: 收货人张三\njava.io.IOException: No space left on device\n\tat java.base"
    message = describe_failure(RuntimeError(text))
    assert message.startswith("RuntimeError") and "the disk is full" in message and "张三" not in message
    assert "the disk is full" not in describe_failure(RuntimeError("no space for this"))
