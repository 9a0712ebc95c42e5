"""Splits texts into token ids with the fast tokenizer of a model folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tokens:
    """One text, or one text and aspect, as the model reads it, special tokens included."""

    ids: list[int]
    types: list[int]  # 0, and from the aspect on 1 where the tokenizer tells the two apart
    is_truncated: bool
    is_blank: bool  # nothing of the text is left but special tokens


class Tokenizer:
    """The folder's fast tokenizer, set to cut at `max_tokens`."""

    def __init__(self, file: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        # Its threads are for one big call; a worker has one core, and forked processes deadlock with them.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._tokenizer: Any = FastTokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._specials = len(self._tokenizer.encode("").ids)

    def encode(self, texts: Sequence[str], aspects: Sequence[str] | None = None) -> list[Tokens]:
        """Cut texts into token ids, in bulk; with aspects, pairs by the tokenizer's own template for two texts.

        Of a pair that is too long the longer one is cut, which is the text unless the aspect fills half of all tokens.
        """
        inputs = list(texts) if aspects is None else list(zip(texts, aspects, strict=True))
        return [
            Tokens(found.ids, found.type_ids, bool(found.overflowing), len(found.ids) <= self._specials)
            for found in self._tokenizer.encode_batch(inputs)
        ]
