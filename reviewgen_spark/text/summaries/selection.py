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
_SHORTEST = 3  # words of a quote with an opinion; a shorter one is unclear without its context
_SHORTEST_FACT = 6  # the same for a quote that only mentions an aspect: 先说外观吧
_MASK = re.compile(r"\[[A-Z_]{2,9}\]")


def choose_sentences(
    reviews: Sequence[Sequence[Sentence]], max_words: int, may_quote: Callable[[str], bool] = lambda sentence: True
) -> list[Sentence]:
    """Returns the sentences that represent all reviews best, in the order of their choice.

    The choice is greedy: each step adds the sentence that increases the total value most, until none increases it. The
    first sentence is always added if it fits. Time is proportional to the words of all reviews times the steps.

    Args:
        reviews: The sentences of each review.
        max_words: Most words of all chosen sentences together.
        may_quote: Checks a sentence. It is called only for the best ones, because it may be slow.
    """
    candidates = [sentence for review in reviews for sentence in review if _is_quotable(sentence, max_words)]
    worth = _Worth(reviews, max_words)
    chosen = _Chosen()
    best = float("-inf")
    while True:
        fitting = [sentence for sentence in candidates if chosen.length + len(sentence.words) <= max_words]
        if not fitting:
            break
        values = [worth.value(chosen, sentence) for sentence in fitting]
        place = values.index(max(values))
        if values[place] <= best:
            break
        candidates.remove(fitting[place])
        if may_quote(fitting[place].text):
            best = values[place]
            chosen.add(fitting[place], worth.overlap(chosen, fitting[place]))
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
        self.sentences.append(sentence)
        self.words.update(sentence.words)
        self.aspects.update(sentence.said.aspects)
        self.length += len(sentence.words)
        self.praise += is_positive(sentence.said.score)
        self.blame += is_negative(sentence.said.score)
        self.personal += sentence.said.personal_count
        self.overlap += overlap


class _Worth:
    """Computes the value of sentences by the reviews that share their words and aspects."""

    def __init__(self, reviews: Sequence[Sequence[Sentence]], max_words: int) -> None:
        self._max_words = max_words
        with_copies: defaultdict[str, Counter[int]] = defaultdict(Counter)
        with_aspect: Counter[str] = Counter()
        scores = []
        for review in reviews:
            for word, count in Counter(word for sentence in review for word in sentence.words).items():
                with_copies[word].update(range(1, count + 1))
            with_aspect.update({code for sentence in review for code in sentence.said.aspects})
            scores.append(sum(sentence.said.score for sentence in review))
        # the review of a sentence does not count as support of it
        itself, others = (1, len(reviews) - 1) if len(reviews) > 1 else (0, 1)
        self._words = {
            word: [(copies[count] - itself) / others for count in sorted(copies)]
            for word, copies in with_copies.items()
        }
        self._aspects = {code: (count - itself) / others for code, count in with_aspect.items()}
        praise, blame = sum(map(is_positive, scores)), sum(map(is_negative, scores))
        self._praise = praise / max(praise + blame, 1)

    def overlap(self, chosen: _Chosen, sentence: Sentence) -> float:
        """Returns the expected number of words that a review shares with the sentence, beyond the chosen ones."""
        total = 0.0
        copies: dict[str, int] = {}
        content = set(sentence.said.content_words)
        for word in sentence.words:
            copies[word] = copies.get(word, chosen.words[word]) + 1
            worth = self._words[word]
            if copies[word] <= len(worth):
                total += worth[copies[word] - 1] * (1 if word in content else _FUNCTION)
        return total

    def value(self, chosen: _Chosen, sentence: Sentence) -> float:
        """Returns the value of the chosen sentences plus this one: half an F1 with corrections."""
        found = chosen.overlap + self.overlap(chosen, sentence)
        # fsum is exact. In the order of a set a sum would differ in its last digit between processes, and decide ties
        found += _ASPECT * fsum(self._aspects[code] for code in chosen.aspects.union(sentence.said.aspects))
        found -= _PERSONAL * (chosen.personal + sentence.said.personal_count)
        praise = chosen.praise + is_positive(sentence.said.score)
        polar = praise + chosen.blame + is_negative(sentence.said.score)
        if polar:
            found -= _BALANCE * abs(praise / polar - self._praise)
        return found / (chosen.length + len(sentence.words) + self._max_words)


def _is_quotable(sentence: Sentence, max_words: int) -> bool:
    """Checks that a sentence states something, has a suitable length, is no question and has no mask."""
    is_opinion = is_positive(sentence.said.score) or is_negative(sentence.said.score)
    shortest = _SHORTEST if is_opinion else _SHORTEST_FACT if sentence.said.aspects else max_words + 1
    is_asking = sentence.text.rstrip("\"'”’」』）) ").endswith(("?", "？"))
    return shortest <= len(sentence.words) <= max_words and not is_asking and not _MASK.search(sentence.text)
