"""Splits texts into token ids with the fast tokenizer of a model folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tokens:
    """Holds the tokens of one text, or of one text and aspect, special tokens included."""

    ids: list[int]
    types: list[int]  # all 0; from the start of the aspect they are 1 if the tokenizer separates text and aspect
    is_truncated: bool
    is_blank: bool  # there are only special tokens


class Tokenizer:
    """Splits texts with the fast tokenizer of a folder, truncated at `max_tokens`."""

    def __init__(self, file: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        # A worker has one core, and forked processes deadlock with the threads of the tokenizer.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._tokenizer: Any = FastTokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._special_count = len(self._tokenizer.encode("").ids)

    def encode(self, texts: Sequence[str], aspects: Sequence[str] | None = None) -> list[Tokens]:
        """Splits texts into token ids; with aspects, pairs by the tokenizer's template for two texts.

        In a pair that is too long, the longer part is truncated. This is the text, unless the aspect fills half of
        all tokens.
        """
        inputs = list(texts) if aspects is None else list(zip(texts, aspects, strict=True))
        return [
            Tokens(
                encoding.ids, encoding.type_ids, bool(encoding.overflowing), len(encoding.ids) <= self._special_count
            )
            for encoding in self._tokenizer.encode_batch(inputs)
        ]
