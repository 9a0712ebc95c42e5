"""Writes values as JSON text."""

import json
from typing import Any

import orjson


def write_json(value: Any) -> str:
    """Returns a value as JSON. What JSON does not have is written as its text; integers may have any length.

    Raises:
        ValueError: it has more than 254 levels.
    """
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError as error:
        if "recursion" in str(error).lower():
            raise ValueError("more than 254 levels") from None
    return json.dumps(value, default=str, ensure_ascii=False)  # integers beyond 64 bits
