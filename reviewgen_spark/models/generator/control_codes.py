"""Control codes: a request for a text as the tokens that a generator goes on from.

Keskar et al. (2019), CTRL. What has a closed list (purpose, language, length, sentiment, stars) is one special token;
what is free (category, aspects, keywords, attributes, sources) is plain text behind a separator:

    <s> <purpose:reply> <language:zh> <length:short> <sentiment:negative> <category> 手机 <keywords> 屏幕 <and> 电池
    <source> 用了两天屏幕就坏了 <text>

A source that spells a code, or the end of the text, is read as characters: nobody can give orders by writing a review.
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
    from reviewgen_spark.text.requests.request import Request

CODES_VERSION = "codes-1"
"""Changes whenever prompts are laid out in another way: it enters every prompt's fingerprint."""
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
# WordPiece sets Chinese characters apart, and its decoder leaves them so.
_SPACE_BESIDE_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s+|\s+(?=[\u3000-\u9fff\uff00-\uffef])")
MIN_SOURCE_TOKENS = 8  # what is left of a source that had to be cut further says nothing


def code(kind: str, value: object) -> str:
    """The token of a value of a closed list.

    Raises:
        RequestError: the list does not have it.

    >>> code("stars", 5)
    '<stars:5>'
    """
    if str(value) not in CODES[kind]:
        raise RequestError(f"{kind}: got {str(value)[:40]!r}, expected one of {', '.join(CODES[kind])}")
    return f"<{kind}:{value}>"


ALL_CODES = (*(f"<{kind}:{value}>" for kind, values in CODES.items() for value in values), *SEPARATORS)


def add_control_codes(tokenizer: Any, model: Any) -> list[int]:
    """Teach a tokenizer and a model of transformers the codes that they lack, in place; returns the new tokens.

    New embeddings are drawn around the mean of the old ones (Hewitt 2021, Initializing New Word Embeddings), from
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
    known = model.get_input_embeddings().weight.detach()[:before]  # (V, C)
    mean, spread = known.mean(dim=0), known.std(dim=0)  # (C,), (C,)
    # A checkpoint's embeddings may be more than its tokens; those stay.
    model.resize_token_embeddings(max(len(tokenizer), len(model.get_input_embeddings().weight)), mean_resizing=False)
    with torch.no_grad():
        weight = model.get_input_embeddings().weight
        weight[added] = mean + 0.1 * spread * torch.randn(len(added), len(mean))
    return added


class PromptTokenizer:
    """A generator's tokenizer: requests to prompts, texts to targets, tokens to texts."""

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
        """Wrap a `tokenizers.Tokenizer` that has the control codes.

        Args:
            backend: the tokenizer.
            start_id: the token that a row begins with, if there is one.
            end_id: the token that ends a text.
            pad_id: what fills shorter rows.
            max_tokens: of prompt and text together; of a seq2seq model each has so many.
            text_tokens: of `max_tokens`, what is kept free for the text.
            is_seq2seq: whether the prompt is read apart from the text.
            purposes: what the generator was taught; others are refused.
        """
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True  # special tokens that a text spells are characters
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
        """Wrap a fast tokenizer of transformers; settings as above."""
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.cls_token_id
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end
        return cls(tokenizer.backend_tokenizer, start, end, pad, **settings)

    @property
    def banned_ids(self) -> list[int]:
        """Tokens that no text holds: codes, padding, unknown; all special ones but the end."""
        return sorted((self._specials | {self._unknown_id}) - {self.end_id})

    @property
    def prompt_tokens(self) -> int:
        """The longest prompt."""
        return self.max_tokens if self.is_seq2seq else self.max_tokens - self.text_tokens

    def encode_prompt(self, request: "Request") -> list[int]:
        """The tokens that the model goes on from; sources are cut first, then keywords, from the last on.

        Raises:
            RequestError: a code is unknown, the generator was not taught the purpose, or the rest does not fit.
        """
        if request.purpose in CODES["purpose"] and request.purpose not in self.purposes:
            raise RequestError(
                f"purpose: this generator was taught {', '.join(self.purposes)}, got {request.purpose!r}; use another "
                "writer, or train one with examples of it"
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
        """The tokens of a text, its end included; None where it is longer than what is kept free for it."""
        ids = [*self._plain(text), self.end_id]
        return ids if len(ids) <= (self.max_tokens if self.is_seq2seq else self.text_tokens) else None

    def count_unknown(self, text: str) -> int:
        """The characters of a text that there is no token for."""
        found = self._backend.encode(text, add_special_tokens=False)
        parts = zip(found.ids, found.offsets, strict=True)
        return sum(end - start for number, (start, end) in parts if number == self._unknown_id)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of generated tokens, up to its end."""
        kept = list(ids)[: list(ids).index(self.end_id)] if self.end_id in ids else list(ids)
        text: str = self._backend.decode([number for number in kept if number not in self._specials])
        return _SPACE_BESIDE_CHINESE.sub("", text.strip())

    def _plain(self, text: str) -> list[int]:
        # A unigram vocabulary has "</s>" as a piece, so that tokens can be spelt all the same.
        ids = self._backend.encode(text, add_special_tokens=False).ids
        return [self._unknown_id if number in self._specials else number for number in ids]

    def _list(self, separator: str, values: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for place, value in enumerate(values):
            ids += [self._codes[AND if place else separator], *self._plain(value)]
        return ids

    def _cut(self, sources: list[list[int]], room: int) -> list[int]:
        """As many of the sources as have room, the last one cut."""
        ids: list[int] = []
        for source in sources:
            left = room - len(ids) - 1
            if left < min(len(source), MIN_SOURCE_TOKENS):
                break
            ids += [self._codes[SOURCE], *source[:left]]
        return ids


def closed_codes(request: "Request") -> Iterator[str]:
    """The tokens of what has a closed list, in their order.

    Raises:
        RequestError: a list does not have the value.
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
    """A folder's `tokenizer.json`."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))
