"""Lists the languages in which texts are read and written."""

from typing import Literal, get_args

LangCode = Literal["zh", "en"]
LANG_CODES: tuple[LangCode, ...] = get_args(LangCode)
