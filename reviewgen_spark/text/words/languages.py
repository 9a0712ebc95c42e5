"""The languages that texts are read and written in."""

from typing import Literal, get_args

LangCode = Literal["zh", "en"]
LANG_CODES: tuple[LangCode, ...] = get_args(LangCode)
