"""What a language model is asked before it has seen a label: masked words, the order of sentences, the next token.

Sentence order and not next-sentence prediction: RoBERTa (Liu et al. 2019) found that next-sentence prediction does not
help, ALBERT (Lan et al. 2020) that it mostly asks for the topic, and that the order of two neighbours asks for more. A
review has one topic anyway, so a sentence of another review would give itself away.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

IGNORED = -100  # the label of a token that the loss leaves out, as in torch's cross_entropy
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1  # of the chosen tokens; what is left stays as it is (Devlin et al. 2019)
_SENTENCE_END = re.compile(r"[。！？!?；;…\n]+\s*|\.\s+|[，,]\s*")

Ints = npt.NDArray[np.int64]


def word_groups(offsets: Sequence[tuple[int, int]], words: Sequence[str], text: str) -> list[int]:
    """The number of the word that each token is a part of; -1 for special tokens.

    Two neighbouring tokens are of one group unless the boundary of a word lies between them, so a word of many tokens
    is one group, and so is a token of many words.

    Args:
        offsets: where each token stands in the text; (0, 0) for special ones.
        words: the words of the text in order, as the word cutter gives them.
        text: the text.

    >>> word_groups([(0, 0), (0, 1), (1, 2), (2, 4), (0, 0)], ["房间", "很好"], "房间很好")
    [-1, 0, 0, 1, -1]
    """
    word_of = np.full(len(text) + 1, -1, dtype=np.int64)
    at = 0
    for number, word in enumerate(words):
        found = text.find(word, at)
        if found >= 0:
            word_of[found : found + len(word)] = number
            at = found + len(word)
    groups: list[int] = []
    group, last = -1, -2
    for start, end in offsets:
        if end <= start:
            groups.append(-1)
            continue
        if word_of[start] != last or last < 0:
            group += 1
        last = int(word_of[end - 1])
        groups.append(group)
    return groups


def mask_words(
    ids: Sequence[int], groups: Sequence[int], rng: np.random.Generator, mask_id: int, vocabulary: int, share: float
) -> tuple[Ints, Ints]:
    """Hide whole words; returns what the model reads and what it must say, both (T,), IGNORED where nothing is asked.

    Words are chosen at random until `share` of the tokens are, one word at least; of the chosen tokens 80 % become the
    mask, 10 % a random token, and 10 % stay (Devlin et al. 2019; whole words: Cui et al. 2021).
    """
    read = np.asarray(ids, dtype=np.int64).copy()
    wanted = np.full(len(ids), IGNORED, dtype=np.int64)
    places = np.asarray(groups)
    count = int(places.max(initial=-1)) + 1
    budget = max(1, round(share * int((places >= 0).sum())))
    chosen = np.zeros(len(ids), dtype=bool)
    for group in rng.permutation(count):
        if chosen.sum() >= budget:
            break
        chosen |= places == group
    wanted[chosen] = read[chosen]
    draw = rng.random(len(ids))
    read[chosen & (draw < MASK_SHARE)] = mask_id
    is_random = chosen & (draw >= MASK_SHARE) & (draw < MASK_SHARE + RANDOM_SHARE)
    read[is_random] = rng.integers(0, vocabulary, int(is_random.sum()))
    return read, wanted


def split_sentences(text: str) -> tuple[str, str] | None:
    """The text in two parts, cut at the end of a sentence or clause nearest to its middle; None where there is none.

    >>> split_sentences("房间很好。下次还来"), split_sentences("很好")
    (('房间很好。', '下次还来'), None)
    """
    cuts = [match.end() for match in _SENTENCE_END.finditer(text) if 0 < match.end() < len(text)]
    if not cuts:
        return None
    cut = min(cuts, key=lambda place: abs(place - len(text) / 2))
    return text[:cut], text[cut:]
