"""Describes a failure without any value of a row."""

import re


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
    return classes + (f" at {at}" if at else "") + "; see docs/runbook.md"
