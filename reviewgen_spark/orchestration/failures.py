"""Describes a failure without any value of a row."""

import re

from reviewgen_spark.warehouse.table_damage import named_file

_UNREADABLE = r"FAILED_READ_FILE|ChecksumException|FileNotFound|not found|Parquet|DELTA_"


def describe_failure(error: BaseException) -> str:
    """Returns the error classes, Spark's error condition and code lines of a failure, but no message.

    A message of Spark, Delta or a worker can quote the values of the failing row.
    """
    names = [type(error).__name__]
    condition = getattr(error, "getCondition", lambda: None)()
    if condition:
        names.append(str(condition))
    text = str(error)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        names.append("the disk is full")
    names += re.findall(r"\b([A-Za-z_.]*(?:Error|Exception))(?=[:\n])", text)[:3]
    names += [f"[{code}]" for code in re.findall(r"\[([A-Z][A-Z_.]{5,})\]", text)[:2]]
    positions = re.findall(r'File "[^"]*?([^/"]+/[^/"]+\.py)", line (\d+)', text)[-2:]
    classes = " <- ".join(dict.fromkeys(names))
    at = ", ".join(f"{file}:{line}" for file, line in positions)
    remedy = "see docs/runbook.md"
    if (file := named_file(text)) and re.search(_UNREADABLE, text, re.IGNORECASE):
        remedy = f"the file {file[1]} of the table {file[0]} cannot be read: run `reviewgen repair {file[0]}`"
    return classes + (f" at {at}" if at else "") + f"; {remedy}"
