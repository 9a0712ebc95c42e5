"""What customers say of a product, without a model: quotes that most reviews would agree with, and counts.

The quotes are the set of sentences that maximises its expected overlap with a review (a minimum Bayes risk choice,
Kumar and Byrne 2004, in the form of weighted coverage: Gillick and Favre 2009, Lin and Bilmes 2011), and so a stand-in
for ROUGE-1 against a summary that nobody has written. The k-th copy of a word is worth the share of the other reviews
that have it k times, so what was said already is worth nothing more: redundancy needs no rule of its own. To it come
the aspects that are covered, and from it go words by which writers speak of themselves, and a balance of praise and
blame that is not that of the reviews. The function is submodular but for the balance, and maximised greedily.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

from reviewgen_spark.config import SummariseSection
from reviewgen_spark.text.opinions.aspects import OpinionReader, SentenceOpinion, is_negative, is_positive
from reviewgen_spark.text.words.languages import LANG_CODES, LangCode
from reviewgen_spark.text.words.sentences import cut_sentences

METHOD_VERSION = 1
"""Of the choice and the templates; it goes up when they give other summaries."""

# In words of overlap; tuned on the training products of FewSum (docs/experiments.md).
_FUNCTION = 0.5  # what a stop word is worth, where a content word is worth 1
_PERSONAL = 4.0  # what a word such as I or my costs
_ASPECT = 2.0  # what the first mention of an aspect that every review names is worth
_BALANCE = 2.0  # what praise alone costs where every review blames
_SHORTEST = 3  # words of a quote with an opinion: below, it says nothing without what stood before it
_SHORTEST_FACT = 6  # of one that only names an aspect: 先说外观吧
_BULLET = re.compile(r"^\s*(?:[（(]?\d{1,2}[）)、.．:：](?!\d)|[一二三四五六七八九十][、.．:：]|[-*·—、，,]+)\s*")
_OPEN_END = " ，,；;、:："
_MASK = re.compile(r"\[[A-Z_]{2,9}\]")


class Review(NamedTuple):
    """A review of the product: its id, clean text and language code."""

    record_id: str
    text: str
    language: str | None


@dataclass(frozen=True)
class Claim:
    """One thing that a summary says, and the reviews that it rests on.

    Attributes:
        kind: `quote`, a sentence as it stands in a review, or `count`.
        text: The sentence of the summary.
        source_record_ids: The review that is quoted, or all that name the aspect.
        aspect: What is counted; None for a quote.
        mention_count: Reviews that name it, of those read.
        positive_count: Of these, reviews that praise it.
        negative_count: Of these, reviews that blame it; the others say neither, as far as the word lists tell.
    """

    kind: str
    text: str
    source_record_ids: tuple[str, ...]
    aspect: str | None = None
    mention_count: int | None = None
    positive_count: int | None = None
    negative_count: int | None = None


@dataclass(frozen=True)
class Summary:
    """The claims of a product, quotes first; `text` is all of them, in the language of most reviews."""

    text: str
    language: LangCode
    claims: tuple[Claim, ...]

    @property
    def source_record_ids(self) -> tuple[str, ...]:
        """Every review that a claim rests on, once, sorted."""
        return tuple(sorted({record_id for claim in self.claims for record_id in claim.source_record_ids}))


class Sentence(NamedTuple):
    """A sentence of a review, as it was read."""

    record_id: str
    text: str
    said: SentenceOpinion
    words: tuple[str, ...]


def summarise(
    reviews: Sequence[Review],
    review_count: int,
    reader: OpinionReader,
    section: SummariseSection,
    keywords: Iterable[str] = (),
    may_quote: Callable[[str], bool] = lambda sentence: True,
) -> Summary | None:
    """Summarise the reviews of one product; the same whatever their order. None where nothing can be said.

    Quotes come from reviews in the language of most; counts are over reviews of every language, by the word lists of
    Chinese and English.

    Args:
        reviews: Unique current reviews, at most `section.max_reviews`.
        review_count: How many the product has; more than `reviews` where these are a sample.
        reader: Of sentences.
        section: Bounds.
        keywords: Of the product, the best first.
        may_quote: Says of a sentence that was chosen whether it may be shown; another takes its place if not.
    """
    ordered = sorted(review for review in reviews if review.text.strip())
    language = main_language(review.language for review in ordered)
    if language is None:
        return None
    named = reader.keywords(keywords, section.keywords)
    read = {review.record_id: read_sentences(review, reader, named) for review in ordered}
    spoken = [read[review.record_id] for review in ordered if _family(review.language) == language]
    chosen = choose_sentences(spoken, section.max_words, may_quote)
    quotes = [Claim("quote", sentence.text, (sentence.record_id,)) for sentence in chosen]
    counts = count_aspects(read, section)
    counted = [_claim_of(count, (len(read), review_count), reader, language) for count in counts]
    if not quotes and not counts:
        return None
    said = [f"“{quote.text}”" for quote in quotes]
    if counts:
        said.append(_say_counts(counts, (len(read), review_count), reader, language))
    return Summary((" " if language == "en" else "").join(said), language, (*quotes, *counted))


def main_language(codes: Iterable[str | None]) -> LangCode | None:
    """The commoner of Chinese and English, Chinese of two with as many; None where there is neither.

    >>> main_language(["en", "zh-hans", "zh-hant", "other"]), main_language(["other"])
    ('zh', None)
    """
    counts = Counter(map(_family, codes))
    spoken = [language for language in LANG_CODES if counts[language]]
    return max(spoken, key=lambda language: counts[language], default=None)


def read_sentences(review: Review, reader: OpinionReader, keywords: frozenset[str] = frozenset()) -> list[Sentence]:
    """The sentences of a review with what they say."""
    found = []
    for text in cut_sentences(review.text):
        said = reader.read(text, keywords)
        words = tuple(token for token in said.tokens if any(map(str.isalnum, token)))
        found.append(Sentence(review.record_id, _BULLET.sub("", text).rstrip(_OPEN_END), said, words))
    return found


def choose_sentences(
    reviews: Sequence[Sequence[Sentence]], max_words: int, may_quote: Callable[[str], bool] = lambda sentence: True
) -> list[Sentence]:
    """The sentences that stand best for all reviews, in the order in which they were chosen.

    Greedy: the sentence that most raises the value of what is chosen, until none does. At least one is chosen where one
    fits. Time grows with the words of all reviews, times the handful that is chosen.

    Args:
        reviews: The sentences of each review.
        max_words: Of all chosen together.
        may_quote: Asked of the best sentences only, as it may be slow.
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
    """What was chosen so far, with the sums that the next choice needs."""

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
    """What sentences are worth, by the reviews that have their words and aspects."""

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
        # the review that a sentence is taken from is no evidence for it
        itself, others = (1, len(reviews) - 1) if len(reviews) > 1 else (0, 1)
        self._words = {
            word: [(copies[count] - itself) / others for count in sorted(copies)]
            for word, copies in with_copies.items()
        }
        self._aspects = {code: (count - itself) / others for code, count in with_aspect.items()}
        praise, blame = sum(map(is_positive, scores)), sum(map(is_negative, scores))
        self._praise = praise / max(praise + blame, 1)

    def overlap(self, chosen: _Chosen, sentence: Sentence) -> float:
        """Words that a review is expected to share with the sentence, beyond those that it shares already."""
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
        """What all that was chosen is worth together with the sentence: half an F1, corrected."""
        found = chosen.overlap + self.overlap(chosen, sentence)
        # fsum is exact: a sum in the order of a set would differ between processes in its last digit, and so break ties
        found += _ASPECT * fsum(self._aspects[code] for code in chosen.aspects.union(sentence.said.aspects))
        found -= _PERSONAL * (chosen.personal + sentence.said.personal_count)
        praise = chosen.praise + is_positive(sentence.said.score)
        polar = praise + chosen.blame + is_negative(sentence.said.score)
        if polar:
            found -= _BALANCE * abs(praise / polar - self._praise)
        return found / (chosen.length + len(sentence.words) + self._max_words)


class AspectCount(NamedTuple):
    """Which reviews name an aspect, and how many of them praise and blame it."""

    code: str
    record_ids: tuple[str, ...]
    praise: int
    blame: int


def count_aspects(reviews: Mapping[str, Sequence[Sentence]], section: SummariseSection) -> list[AspectCount]:
    """The aspects that most reviews name, the most frequent first.

    Args:
        reviews: The sentences of all that are read, by record id.
        section: How many aspects, and how often one must be named.
    """
    named: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for record_id, sentences in reviews.items():
        for sentence in sentences:
            for code, score in sentence.said.aspects.items():
                named[code][record_id] = named[code].get(record_id, 0.0) + score
    frequent = [code for code in named if len(named[code]) >= section.min_mentions]
    frequent.sort(key=lambda code: (-len(named[code]), code))
    return [
        AspectCount(
            code,
            tuple(sorted(named[code])),
            sum(map(is_positive, named[code].values())),
            sum(map(is_negative, named[code].values())),
        )
        for code in frequent[: section.max_counts]
    ]


Read = tuple[int, int]
"""How many reviews were read, and how many the product has."""


def _claim_of(count: AspectCount, read: Read, reader: OpinionReader, language: LangCode) -> Claim:
    text = _say_counts([count], read, reader, language)
    return Claim("count", text, count.record_ids, count.code, len(count.record_ids), count.praise, count.blame)


def _say_counts(counts: Sequence[AspectCount], read: Read, reader: OpinionReader, language: LangCode) -> str:
    """The counts as one sentence: `Of 400 reviews, 312 mention battery life (71 % positively, 9 % negatively).`."""
    parts = []
    for place, (code, record_ids, praise, blame) in enumerate(counts):
        good, bad = (round(100 * part / len(record_ids)) for part in (praise, blame))
        name = reader.name(code, language) if code in reader.aspects else f"“{code}”"
        if language == "en":
            verb = "" if place else "mentions " if len(record_ids) == 1 else "mention "
            parts.append(f"{len(record_ids):,} {verb}{name} ({good} % positively, {bad} % negatively)")
        else:
            parts.append(f"{len(record_ids)}条{'' if place else '提到'}{name}（{good}%肯定，{bad}%否定）")
    few, many = read
    if language == "en":
        told = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
        reviews = f"{few:,} reviews" if few == many else f"the {few:,} reviews that were read, of {many:,}"
        return f"Of {reviews}, {told}."
    reviews = f"{few}条评价" if few == many else f"{many}条评价中抽取的{few}条"
    return f"{reviews}中，{'，'.join(parts)}。"


def _is_quotable(sentence: Sentence, max_words: int) -> bool:
    """Whether it states something of the product, alone, fits, and shows no place where personal data was masked."""
    is_opinion = is_positive(sentence.said.score) or is_negative(sentence.said.score)
    shortest = _SHORTEST if is_opinion else _SHORTEST_FACT if sentence.said.aspects else max_words + 1
    is_asking = sentence.text.rstrip("\"'”’」』）) ").endswith(("?", "？"))
    return shortest <= len(sentence.words) <= max_words and not is_asking and not _MASK.search(sentence.text)


def _family(code: str | None) -> LangCode | None:
    """Chinese, in either script, or English: the languages that there are word lists and templates for."""
    return "en" if code == "en" else "zh" if (code or "").startswith("zh") else None
