"""Finds names of persons behind a word that announces them: 收件人：李华. Names elsewhere are not searched."""

import re

from reviewgen_spark.text.privacy.pattern import Pattern

_SUR

NAMES = (Pattern("NAME", re.compile(_ANNOUNCED)),)
HINT = re.compile("[件货系]人|件者|姓名")
"""Matches a word that announces a name, as a fast check."""
