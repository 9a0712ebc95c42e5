"""What customers say of a product, without a model: quotes that most reviews would agree with, and counts.

The quotes are the set of sentences that maximises its expected overlap with a review (a minimum Bayes risk choice,
Kumar and Byrne 2004, in the form of weighted coverage: Gillick and Favre 2009, Lin and Bilmes 2011), and so a stand-in
for ROUGE-1 against a summary that nobody has written. The k-th copy of a word is worth the share of the other reviews
that have it k times, so what was said already is worth nothing more: redundancy needs no rule of its own. To it come
the aspects that are covered, and from it go words by which writers speak of themselves, and a balance of praise and
blame that is not that of the reviews. The function is submodular but for the balance, and maximised greedily.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reviewgen_spark.config import SummariseSection
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.summaries.aspect_counts import AspectCount, Read, count_aspects, say_counts
from reviewgen_spark.text.summaries.selection import choose_sentences
from reviewgen_spark.text.summaries.sentences import Review, language_family, main_language, read_sentences
from reviewgen_spark.text.words.languages import LangCode

METHOD_VERSION = 1
"""Of the choice and the templates; it goes up when they give other summaries."""


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
    spoken = [read[review.record_id] for review in ordered if language_family(review.language) == language]
    chosen = choose_sentences(spoken, section.max_words, may_quote)
    quotes = [Claim("quote", sentence.text, (sentence.record_id,)) for sentence in chosen]
    counts = count_aspects(read, section)
    counted = [_claim_of(count, (len(read), review_count), reader, language) for count in counts]
    if not quotes and not counts:
        return None
    said = [f"“{quote.text}”" for quote in quotes]
    if counts:
        said.append(say_counts(counts, (len(read), review_count), reader, language))
    return Summary((" " if language == "en" else "").join(said), language, (*quotes, *counted))


def _claim_of(count: AspectCount, read: Read, reader: OpinionReader, language: LangCode) -> Claim:
    text = say_counts([count], read, reader, language)
    return Claim("count", text, count.record_ids, count.code, len(count.record_ids), count.praise, count.blame)
