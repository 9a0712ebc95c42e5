"""Prepares the objectives of pre-training: masked words, sentence order and the next token.

Sentence order is used instead of next-sentence prediction. RoBERTa (Liu et al. 2019) found that next-sentence
prediction does not help. ALBERT (Lan et al. 2020) found that it mostly tests the topic, and that sentence order is
harder. A review has one topic, so a sentence of another review would be easy to detect.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

IGNORED = -100  # the label of a token that the loss leaves out, as in torch's cross_entropy
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1  # of the chosen tokens; the others do not change (Devlin et al. 2019)
_SENTENCE_END = re.compile(r"[。！？!?；;…\n]+\s*|\.\s+|[，,]\s*")

Ints = npt.NDArray[np.int64]


def word_groups(offsets: Sequence[tuple[int, int]], words: Sequence[str], text: str) -> list[int]:
    """Returns the number of the word that each token belongs to; -1 for special tokens.

    Two neighbouring tokens are in one group unless a word boundary is between them. So a word of many tokens is one
    group, and so is a token of many words.

    Args:
        offsets: start and end of each token in the text; (0, 0) for special tokens.
        words: the words of the text in order, as the word segmenter returns them.
        text: the text.

    >>> word_groups([(0, 0), (0, 1), (1, 2), (2, 4), (0, 0)], ["房间", "很好"], "房间很好")
    [-1, 0, 0, 1, -1]
    """
    word_of = np.full(len(text) + 1, -1, dtype=np.int64)
    search_start = 0
    for word_number, word in enumerate(words):
        word_start = text.find(word, search_start)
        if word_start >= 0:
            word_of[word_start : word_start + len(word)] = word_number
            search_start = word_start + len(word)
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
    """Masks whole words. Returns input ids and labels, both (T,); a label is IGNORED for tokens that are not predicted.

    Words are chosen at random until they have `share` of the tokens; at least one word is chosen. Of the chosen tokens
    80 % become the mask, 10 % a random token, and 10 % stay (Devlin et al. 2019; whole words: Cui et al. 2021).
    """
    inputs = np.asarray(ids, dtype=np.int64).copy()
    labels = np.full(len(ids), IGNORED, dtype=np.int64)
    group_of = np.asarray(groups)
    count = int(group_of.max(initial=-1)) + 1
    budget = max(1, round(share * int((group_of >= 0).sum())))
    chosen = np.zeros(len(ids), dtype=bool)
    for group in rng.permutation(count):
        if chosen.sum() >= budget:
            break
        chosen |= group_of == group
    labels[chosen] = inputs[chosen]
    draw = rng.random(len(ids))
    inputs[chosen & (draw < MASK_SHARE)] = mask_id
    is_random = chosen & (draw >= MASK_SHARE) & (draw < MASK_SHARE + RANDOM_SHARE)
    inputs[is_random] = rng.integers(0, vocabulary, int(is_random.sum()))
    return inputs, labels


def split_sentences(text: str) -> tuple[str, str] | None:
    """Splits a text at the end of the sentence or clause nearest to its middle; None if there is no such end.

    >>> split_sentences("房间很好。下次还来"), split_sentences("很好")
    (('房间很好。', '下次还来'), None)
    """
    cuts = [match.end() for match in _SENTENCE_END.finditer(text) if 0 < match.end() < len(text)]
    if not cuts:
        return None
    cut = min(cuts, key=lambda index: abs(index - len(text) / 2))
    return text[:cut], text[cut:]
