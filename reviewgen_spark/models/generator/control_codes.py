"""Encodes a request as control codes: the prompt tokens of a generator.

Source: Keskar et al. (2019), CTRL. A field with a closed list (purpose, language, length, sentiment, stars) is one
special token. A free field (category, aspects, keywords, attributes, sources) is plain text after a separator:

    <s> <purpose:reply> <language:zh> <length:short> <sentiment:negative> <category> 手机 <keywords> 屏幕 <and> 电池
    <source> 用了两天屏幕就坏了 <text>

A code or end token inside a source is encoded as plain characters, because a review must not inject codes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark.errors import RequestError
from reviewgen_spark.text.requests.purposes import PURPOSES
from reviewgen_spark.text.requests.request import LENGTHS, SENTIMENTS
from reviewgen_spark.text.words.languages import LANG_CODES

if TYPE_CHECKING:
    from reviewgen_spark.text.requests.request import TextRequest

CODES_VERSION = "codes-1"
"""Changes with each change of the prompt layout, because it is part of the fingerprint of each prompt."""
CODES: Mapping[str, tuple[str, ...]] = {
    "purpose": PURPOSES,
    "language": LANG_CODES,
    "length": LENGTHS,
    "sentiment": SENTIMENTS,
    "stars": ("1", "2", "3", "4", "5"),
}
CATEGORY, ASPECTS, KEYWORDS, ATTRIBUTES, SOURCE, AND, TEXT = SEPARATORS = (
    "<category>",
    "<aspects>",
    "<keywords>",
    "<attributes>",
    "<source>",
    "<and>",
    "<text>",
)
# WordPiece puts spaces between Chinese characters, and its decoder keeps them.
_SPACE_BESIDE_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s+|\s+(?=[\u3000-\u9fff\uff00-\uffef])")
MIN_SOURCE_TOKENS = 8  # a source that is cut to fewer has too little content


def code(kind: str, value: object) -> str:
    """Returns the token of a value of a closed list.

    Raises:
        RequestError: the value is not in the list.

    >>> code("stars", 5)
    '<stars:5>'
    """
    if str(value) not in CODES[kind]:
        raise RequestError(f"{kind}: got {str(value)[:40]!r}, expected one of {', '.join(CODES[kind])}")
    return f"<{kind}:{value}>"


ALL_CODES = (*(f"<{kind}:{value}>" for kind, values in CODES.items() for value in values), *SEPARATORS)


def add_control_codes(tokenizer: Any, model: Any) -> list[int]:
    """Adds missing codes to a tokenizer and a model of transformers, in place; returns the new tokens.

    New embeddings are sampled around the mean of the old ones (Hewitt 2021, Initializing New Word Embeddings), from
    torch's seed.
    """
    import torch
    from tokenizers import AddedToken

    before = len(tokenizer)
    tokenizer.add_tokens(
        [AddedToken(token, special=True, normalized=False) for token in ALL_CODES], special_tokens=True
    )
    added = list(range(before, len(tokenizer)))
    if not added:
        return []
    old = model.get_input_embeddings().weight.detach()[:before]  # (V, C)
    mean, spread = old.mean(dim=0), old.std(dim=0)  # (C,), (C,)
    # A checkpoint may have more embeddings than tokens; they are kept.
    model.resize_token_embeddings(max(len(tokenizer), len(model.get_input_embeddings().weight)), mean_resizing=False)
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight[added] = mean + 0.1 * spread * torch.randn(len(added), len(mean))
    return added


class PromptTokenizer:
    """Converts requests to prompts, texts to targets, and tokens to texts."""

    def __init__(
        self,
        backend: Any,
        start_id: int | None,
        end_id: int,
        pad_id: int,
        max_tokens: int,
        text_tokens: int,
        is_seq2seq: bool = False,
        purposes: Sequence[str] = CODES["purpose"],
    ) -> None:
        """Wraps a `tokenizers.Tokenizer` that has the control codes.

        Args:
            backend: the tokenizer.
            start_id: the token that a row begins with, if there is one.
            end_id: the token that ends a text.
            pad_id: what fills shorter rows.
            max_tokens: of prompt and text together; in a seq2seq model, of each of them.
            text_tokens: the part of `max_tokens` that is reserved for the text.
            is_seq2seq: whether the model has a separate encoder for the prompt.
            purposes: the purposes that the generator was trained for; others are refused.
        """
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True  # special tokens inside a text are encoded as characters
        self._backend = backend
        self.start_id, self.end_id, self.pad_id = start_id, end_id, pad_id
        self.max_tokens, self.text_tokens = max_tokens, text_tokens
        self.is_seq2seq, self.purposes = is_seq2seq, tuple(purposes)
        self._codes = {token: backend.token_to_id(token) for token in ALL_CODES}
        added: dict[int, Any] = backend.get_added_tokens_decoder()
        self._specials = {number for number, token in added.items() if token.special} | {end_id, pad_id}
        unknown = next((backend.token_to_id(name) for name in ("<unk>", "[UNK]") if backend.token_to_id(name)), pad_id)
        self._unknown_id = int(unknown)

    @classmethod
    def of(cls, tokenizer: Any, **settings: Any) -> "PromptTokenizer":
        """Wraps a fast tokenizer of transformers; `settings` are the other parameters of the constructor."""
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end
        return cls(tokenizer.backend_tokenizer, start, end, pad, **settings)

    @property
    def banned_ids(self) -> list[int]:
        """Returns the tokens that no text may have: the unknown token, and all special tokens except the end token."""
        return sorted((self._specials | {self._unknown_id}) - {self.end_id})

    @property
    def prompt_tokens(self) -> int:
        """Returns the number of tokens of the longest prompt."""
        return self.max_tokens if self.is_seq2seq else self.max_tokens - self.text_tokens

    def encode_prompt(self, request: "TextRequest") -> list[int]:
        """Returns the prompt tokens of a request; sources are cut first, then keywords, from the last on.

        Raises:
            RequestError: a code is unknown, the generator was not trained for the purpose, or the rest does not fit.
        """
        if request.purpose in CODES["purpose"] and request.purpose not in self.purposes:
            raise RequestError(
                f"purpose: this generator was trained for {', '.join(self.purposes)}, got {request.purpose!r}; use "
                "another writer, or train one with examples of it"
            )
        head = [] if self.start_id is None else [self.start_id]
        head += [self._codes[token] for token in closed_codes(request)]
        if request.category:
            head += [self._codes[CATEGORY], *self._plain(request.category)]
        head += self._list(ASPECTS, request.aspects)
        attributes = self._list(ATTRIBUTES, [f"{pair.name} {pair.value}" for pair in request.attributes])
        end = [self.end_id] if self.is_seq2seq else [self._codes[TEXT]]
        room = self.prompt_tokens - len(head) - len(attributes) - len(end)
        if room < 0:
            raise RequestError(
                f"prompt: category, aspects and attributes take {self.prompt_tokens - room} tokens, this generator has "
                f"{self.prompt_tokens} for a prompt; give fewer attributes"
            )
        keywords = list(request.keywords)
        while keywords and len(self._list(KEYWORDS, keywords)) > room:
            keywords.pop()
        listed = self._list(KEYWORDS, keywords)
        sources = self._cut([self._plain(source.text) for source in request.sources], room - len(listed))
        return [*head, *listed, *attributes, *sources, *end]

    def encode_text(self, text: str) -> list[int] | None:
        """Returns the tokens of a text with the end token; None if it is longer than the reserved tokens."""
        ids = [*self._plain(text), self.end_id]
        return ids if len(ids) <= (self.max_tokens if self.is_seq2seq else self.text_tokens) else None

    def count_unknown(self, text: str) -> int:
        """Counts the characters of a text that have no token."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        parts = zip(encoding.ids, encoding.offsets, strict=True)
        return sum(end - start for number, (start, end) in parts if number == self._unknown_id)

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of generated tokens, up to the end token."""
        text_ids = list(ids)[: list(ids).index(self.end_id)] if self.end_id in ids else list(ids)
        text: str = self._backend.decode([number for number in text_ids if number not in self._specials])
        return _SPACE_BESIDE_CHINESE.sub("", text.strip())

    def _plain(self, text: str) -> list[int]:
        # A unigram vocabulary has "</s>" as a piece, so a text can still contain special tokens.
        ids = self._backend.encode(text, add_special_tokens=False).ids
        return [self._unknown_id if number in self._specials else number for number in ids]

    def _list(self, separator: str, values: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for index, value in enumerate(values):
            ids += [self._codes[AND if index else separator], *self._plain(value)]
        return ids

    def _cut(self, sources: list[list[int]], room: int) -> list[int]:
        """Returns the tokens of as many sources as fit, the last one cut."""
        ids: list[int] = []
        for source in sources:
            left = room - len(ids) - 1
            if left < min(len(source), MIN_SOURCE_TOKENS):
                break
            ids += [self._codes[SOURCE], *source[:left]]
        return ids


def closed_codes(request: "TextRequest") -> Iterator[str]:
    """Yields the tokens of the fields with a closed list, in order.

    Raises:
        RequestError: a value is not in its list.
    """
    values = {
        "purpose": request.purpose,
        "language": request.lang_code,
        "length": request.length,
        "sentiment": request.sentiment,
        "stars": request.stars,
    }
    for kind, value in values.items():
        if value is not None:
            yield code(kind, value)


def read_tokenizer(file: Path) -> Any:
    """Reads the `tokenizer.json` of a folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))
