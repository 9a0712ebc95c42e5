"""Chooses the sentences of a summary."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import fsum

from reviewgen_spark.text.opinions.aspects import is_negative, is_positive
from reviewgen_spark.text.summaries.sentences import Sentence

# Weights in words of overlap, tuned on the training products of FewSum (docs/experiments.md).
_FUNCTION = 0.5  # value of a stop word; a content word has 1
_PERSONAL = 4.0  # cost of a word such as I or my
_ASPECT = 2.0  # value of the first mention of an aspect that every review mentions
_BALANCE = 2.0  # cost if all quotes praise and all reviews criticise
_SHORTEST = 3  # words of a quote with an opinion, because a shorter one is unclear without its context
_SHORTEST_FACT = 6  # the same for a quote that only mentions an aspect: 先说外观吧
_MASK = re.compile(r"\[[A-Z_]{2,9}\]")


def choose_sentences(
    reviews: Sequence[Sequence[Sentence]], max_words: int, may_quote: Callable[[str], bool] = lambda sentence: True
) -> list[Sentence]:
    """Returns the sentences that represent all reviews best, in the order in which they were chosen.

    The choice is greedy: each step adds the sentence that increases the total value most, until none increases it. The
    first sentence is always added if it fits. Time is proportional to the words of all reviews times the steps.

    Args:
        reviews: The sentences of each review.
        max_words: The largest number of words of all chosen sentences together.
        may_quote: Checks whether a sentence may be quoted. It is called only for the best ones, because it may be slow.
    """
    candidates = [sentence for review in reviews for sentence in review if _is_quotable(sentence, max_words)]
    scorer = _SentenceScorer(reviews, max_words)
    chosen = _Chosen()
    best = float("-inf")
    while True:
        fitting = [sentence for sentence in candidates if chosen.length + len(sentence.words) <= max_words]
        if not fitting:
            break
        values = [scorer.value(chosen, sentence) for sentence in fitting]
        index = values.index(max(values))
        if values[index] <= best:
            break
        candidates.remove(fitting[index])
        if may_quote(fitting[index].text):
            best = values[index]
            chosen.add(fitting[index], scorer.overlap(chosen, fitting[index]))
    return chosen.sentences


class _Chosen:
    """Holds the chosen sentences, and the sums for the next choice."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.words: Counter[str] = Counter()
        self.aspects: set[str] = set()
        self.length = self.praise = self.blame = self.personal = 0
        self.overlap = 0.0

    def add(self, sentence: Sentence, overlap: float) -> None:
        """Adds a sentence, and its overlap with the reviews."""
        self.sentences.append(sentence)
        self.words.update(sentence.words)
        self.aspects.update(sentence.opinion.aspects)
        self.length += len(sentence.words)
        self.praise += is_positive(sentence.opinion.score)
        self.blame += is_negative(sentence.opinion.score)
        self.personal += sentence.opinion.personal_count
        self.overlap += overlap


class _SentenceScorer:
    """Computes the value of a sentence from the reviews that share its words and aspects."""

    def __init__(self, reviews: Sequence[Sequence[Sentence]], max_words: int) -> None:
        self._max_words = max_words
        with_copies: defaultdict[str, Counter[int]] = defaultdict(Counter)
        with_aspect: Counter[str] = Counter()
        scores = []
        for review in reviews:
            for word, count in Counter(word for sentence in review for word in sentence.words).items():
                with_copies[word].update(range(1, count + 1))
            with_aspect.update({code for sentence in review for code in sentence.opinion.aspects})
            scores.append(sum(sentence.opinion.score for sentence in review))
        # The review of a sentence does not count as support of it.
        own, others = (1, len(reviews) - 1) if len(reviews) > 1 else (0, 1)
        self._words = {
            word: [(copies[count] - own) / others for count in sorted(copies)] for word, copies in with_copies.items()
        }
        self._aspects = {code: (count - own) / others for code, count in with_aspect.items()}
        praise, blame = sum(map(is_positive, scores)), sum(map(is_negative, scores))
        self._praise = praise / max(praise + blame, 1)

    def overlap(self, chosen: _Chosen, sentence: Sentence) -> float:
        """Returns the expected number of words that a review shares with the sentence.

        Words that the chosen sentences already share with it are not counted again.
        """
        total = 0.0
        copies: dict[str, int] = {}
        content = set(sentence.opinion.content_words)
        for word in sentence.words:
            copies[word] = copies.get(word, chosen.words[word]) + 1
            values = self._words[word]
            if copies[word] <= len(values):
                total += values[copies[word] - 1] * (1 if word in content else _FUNCTION)
        return total

    def value(self, chosen: _Chosen, sentence: Sentence) -> float:
        """Returns the value of the chosen sentences plus this one: half of an F1 score, with corrections."""
        value = chosen.overlap + self.overlap(chosen, sentence)
        # fsum is exact. The order of a set differs between processes, so the last digit of a plain sum would differ
        # too, and decide ties.
        value += _ASPECT * fsum(self._aspects[code] for code in chosen.aspects.union(sentence.opinion.aspects))
        value -= _PERSONAL * (chosen.personal + sentence.opinion.personal_count)
        praise = chosen.praise + is_positive(sentence.opinion.score)
        polar = praise + chosen.blame + is_negative(sentence.opinion.score)
        if polar:
            value -= _BALANCE * abs(praise / polar - self._praise)
        return value / (chosen.length + len(sentence.words) + self._max_words)


def _is_quotable(sentence: Sentence, max_words: int) -> bool:
    """Checks that a sentence has an opinion or an aspect, a suitable length and no mask, and is no question."""
    is_opinion = is_positive(sentence.opinion.score) or is_negative(sentence.opinion.score)
    shortest = _SHORTEST if is_opinion else _SHORTEST_FACT if sentence.opinion.aspects else max_words + 1
    is_question = sentence.text.rstrip("\"'”’」』）) ").endswith(("?", "？"))
    return shortest <= len(sentence.words) <= max_words and not is_question and not _MASK.search(sentence.text)
