"""Perturbs texts as people do, to test whether a model still predicts the same.

The perturbations keep the meaning of a text and so its label. `negate` reverses the sentiment. Changes are drawn by
seed and text, so equal texts get equal changes. Ribeiro et al. (2020, Beyond Accuracy: Behavioral Testing of NLP Models
with CheckList) call this invariance tests and directional expectation tests.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np

EVERY_CHARS = 12  # a text has one change per this number of characters, and at least one

# Written by hand: pairs that input methods confuse. Neither character of a pair carries sentiment.
HOMOPHONES = {
    "的": "得", "得": "的", "在": "再", "再": "在", "做": "作", "作": "做", "他": "她", "她": "他", "那": "哪",
    "哪": "那", "像": "象", "以": "已", "已": "以", "和": "合", "是": "事", "事": "是", "帐": "账", "账": "帐",
    "订": "定", "定": "订", "机": "几", "吧": "把", "觉": "绝", "度": "渡", "住": "注", "房": "防", "屏": "平",
    "质": "志", "量": "亮", "服": "福", "务": "物", "物": "务", "流": "留", "客": "克",
}  # fmt: skip
NEUTRAL_EMOJI = ("📦", "🏠", "📱", "📚")
# Words that 不 or "not" can negate in a short text.
NEGATABLE = ("满意", "喜欢", "推荐", "值得", "舒服", "方便", "干净", "实用", "清晰", "划算", "合适", "新鲜", "好吃")
NEGATABLE_ENGLISH = ("good", "great", "satisfied", "recommended", "comfortable", "useful", "worth it")
MAX_NEGATED_CHARS = 25  # a longer text has more sentiment than one word
_NEGATIONS = re.compile(r"不|没|別|别|无|未|\bnot?\b|n't|\bnever\b", re.IGNORECASE)


def swap(text: str, rng: np.random.Generator) -> str:
    """Swaps neighbouring characters, as in fast typing."""
    return _change(text, rng, lambda first, second: second + first, width=2)


def drop(text: str, rng: np.random.Generator) -> str:
    """Deletes characters."""
    return _change(text, rng, lambda character: "") or text


def double(text: str, rng: np.random.Generator) -> str:
    """Doubles characters."""
    return _change(text, rng, lambda character: character + character)


def homophones(text: str, rng: np.random.Generator) -> str:
    """Replaces characters by others of the same sound in HOMOPHONES."""
    indices = [index for index, character in enumerate(text) if character in HOMOPHONES]
    chosen = rng.permutation(indices)[: max(1, len(text) // EVERY_CHARS)].tolist() if indices else []
    return "".join(HOMOPHONES[character] if index in chosen else character for index, character in enumerate(text))


def emoji(text: str, rng: np.random.Generator) -> str:
    """Appends a neutral emoji."""
    return text + NEUTRAL_EMOJI[int(rng.integers(len(NEUTRAL_EMOJI)))]


def traditional(text: str, rng: np.random.Generator) -> str:
    """Converts the text to traditional script."""
    return str(_converter().convert(text))


PERTURBATIONS: dict[str, Callable[[str, np.random.Generator], str]] = {
    "swap": swap,
    "drop": drop,
    "double": double,
    "homophones": homophones,
    "emoji": emoji,
    "traditional": traditional,
}


def perturb(name: str, texts: Sequence[str], seed: int) -> list[str]:
    """Applies one perturbation to every text."""
    change = PERTURBATIONS[name]
    return [change(text, _generator(name, text, seed)) for text in texts]


def negate(text: str) -> str | None:
    """Negates the only sentiment word of a text; None if that is not possible.

    >>> negate("房间干净"), negate("房间不干净"), negate("The room is good"), negate("还行")
    ('房间不干净', '房间干净', 'The room is not good', None)
    """
    if len(text) > MAX_NEGATED_CHARS:
        return None
    matches = [word for word in (*NEGATABLE, *NEGATABLE_ENGLISH) if word in text.lower()]
    if len(matches) != 1 or text.lower().count(matches[0]) != 1:
        return None
    index, word = text.lower().index(matches[0]), matches[0]
    marks = list(_NEGATIONS.finditer(text))
    negation = "不" if word in NEGATABLE else "not "
    if not marks:
        return text[:index] + negation + text[index:]
    if len(marks) == 1 and text[:index].endswith(negation):
        return text[: index - len(negation)] + text[index:]
    return None


def _change(text: str, rng: np.random.Generator, change: Callable[..., str], width: int = 1) -> str:
    """Applies `change` to some runs of `width` letters that do not overlap."""
    indices = [
        index
        for index in range(len(text) - width + 1)
        if all(character.isalpha() for character in text[index : index + width])
    ]
    chosen: list[int] = []
    for index in rng.permutation(indices).tolist() if indices else []:
        if all(abs(index - other) >= width for other in chosen):
            chosen.append(index)
        if len(chosen) == max(1, len(text) // EVERY_CHARS):
            break
    for index in sorted(chosen, reverse=True):
        text = text[:index] + change(*text[index : index + width]) + text[index + width :]
    return text


def _generator(name: str, text: str, seed: int) -> np.random.Generator:
    digest = blake2b(f"{seed}:{name}:{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("s2t")
