"""Summarises the reviews of a product without a model, by representative quotes and by counts.

The quotes are the sentences with the largest expected overlap with a review. This is a minimum Bayes risk choice (Kumar
and Byrne 2004). Its form is weighted coverage (Gillick and Favre 2009, Lin and Bilmes 2011). It approximates ROUGE-1
without a reference summary.

The k-th copy of a word has the value of the share of other reviews that contain it k times. So repeated content adds
little, and redundancy needs no separate rule. Covered aspects add to the value. Words by which writers refer to
themselves reduce it. A balance of praise and criticism that differs from that of the reviews also reduces it. The
function is submodular except for the balance, and is maximised greedily.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reviewgen_spark.config import SummariseSection
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.summaries.aspect_counts import AspectCount, ReadCounts, count_aspects, write_counts
from reviewgen_spark.text.summaries.selection import choose_sentences
from reviewgen_spark.text.summaries.sentences import ReviewText, language_family, main_language, read_sentences
from reviewgen_spark.text.words.languages import LangCode

METHOD_VERSION = 2
"""Version of the method. It must increase if the choice or the templates give other summaries."""


@dataclass(frozen=True)
class Claim:
    """Holds one statement of a summary, and the reviews that support it.

    Attributes:
        kind: `quote`, a sentence of a review, or `count`.
        text: The sentence of the summary.
        source_record_ids: The quoted review, or all reviews that mention the aspect.
        aspect: The counted aspect; None for a quote.
        mention_count: Reviews that mention the aspect, of those that were read.
        positive_count: Of these, reviews that praise it.
        negative_count: Of these, reviews that criticise it. The remaining reviews do neither, by the word lists.
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
    """Holds the claims about a product, quotes first. `text` joins them, in the main language of the reviews."""

    text: str
    language: LangCode
    claims: tuple[Claim, ...]

    @property
    def source_record_ids(self) -> tuple[str, ...]:
        """Returns the distinct record ids of all claims, sorted."""
        return tuple(sorted({record_id for claim in self.claims for record_id in claim.source_record_ids}))


def summarise(
    reviews: Sequence[ReviewText],
    review_count: int,
    reader: OpinionReader,
    section: SummariseSection,
    keywords: Iterable[str] = (),
    may_quote: Callable[[str], bool] = lambda sentence: True,
) -> Summary | None:
    """Summarises the reviews of a product. The result does not depend on their order. Without claims it is None.

    Quotes come only from reviews in the most frequent language. Counts cover reviews of all languages, by the word
    lists of Chinese and English.

    Args:
        reviews: Unique current reviews, at most `section.max_reviews`.
        review_count: Number of reviews of the product; larger than `reviews` if these are a sample.
        reader: Reads the opinions of sentences.
        section: Limits of the summary.
        keywords: Keywords of the product, the most important first.
        may_quote: Checks whether a chosen sentence may be shown. If not, the next best one is chosen.
    """
    ordered = sorted(review for review in reviews if review.text.strip())
    language = main_language(review.language for review in ordered)
    if language is None:
        return None
    aspect_keywords = reader.keywords(keywords, section.keywords)
    sentences = {review.record_id: read_sentences(review, reader, aspect_keywords) for review in ordered}
    in_language = [sentences[review.record_id] for review in ordered if language_family(review.language) == language]
    chosen = choose_sentences(in_language, section.max_words, may_quote)
    quotes = [Claim("quote", sentence.text, (sentence.record_id,)) for sentence in chosen]
    counts = count_aspects(sentences, section)
    counted = [_claim_of(count, (len(sentences), review_count), reader, language) for count in counts]
    if not quotes and not counts:
        return None
    parts = [f"“{quote.text}”" for quote in quotes]
    if counts:
        parts.append(write_counts(counts, (len(sentences), review_count), reader, language))
    return Summary((" " if language == "en" else "").join(parts), language, (*quotes, *counted))


def _claim_of(count: AspectCount, read: ReadCounts, reader: OpinionReader, language: LangCode) -> Claim:
    text = write_counts([count], read, reader, language)
    return Claim("count", text, count.record_ids, count.code, len(count.record_ids), count.praise, count.blame)
