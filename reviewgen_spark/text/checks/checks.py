"""Checks a generated text before it is published. Each check returns a score, a verdict and a reason.

Scores are 0 (clean) to 1. A reason contains codes, figures and phrases of the lists, never the text. The purpose
decides which checks apply (`check_text`).
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reviewgen_spark.config import ChecksSection, TokensSection
from reviewgen_spark.text.checks.voice import customer_voice, leaked
from reviewgen_spark.text.cleaning.language import detect
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.privacy import pii
from reviewgen_spark.text.requests.purposes import IN_SHOPS_NAME, PUBLISHABLE
from reviewgen_spark.text.requests.request import LENGTH_BOUNDS, Sentiment, TextRequest, text_size
from reviewgen_spark.text.similarity.copied_runs import CopyIndex, longest_common_run, units
from reviewgen_spark.text.words.phrase_lists import PhraseList


class TextCheck(NamedTuple):
    """Holds the result of one check, as in the column `checks`.

    Attributes:
        name: Name of the check.
        score: 0 (clean) to 1.
        is_passed: Whether the text passed this check.
        reason: Reason of the verdict. A failed check always has one.
    """

    name: str
    score: float
    is_passed: bool
    reason: str | None = None


class LabellerPrediction(NamedTuple):
    """Holds the labeller's predictions for a text; None if its model has no such head."""

    sentiment_score: float | None = None
    category_label: str | None = None
    toxicity_score: float | None = None


@dataclass(frozen=True)
class CheckLists:
    """Holds all lists that checks read from files, loaded once a worker."""

    superlatives: PhraseList
    harmful: PhraseList
    refused: PhraseList
    reader: OpinionReader

    @classmethod
    def load(cls, safety: Path, dictionaries: Path, tokens: TokensSection | None = None) -> "CheckLists":
        """Loads the lists of conf/safety and conf/dictionaries from folders of the worker.

        Raises:
            ConfigError: A list is missing or malformed.
        """
        return cls(
            PhraseList.read(safety / "superlatives.tsv"),
            PhraseList.read(safety / "harmful.tsv"),
            PhraseList.read(safety / "refusals.tsv"),
            OpinionReader(tokens or TokensSection(), dictionaries),
        )


def check_text(
    text: str,
    request: TextRequest,
    lists: CheckLists,
    limits: ChecksSection,
    judged: LabellerPrediction | None = None,
    training: CopyIndex | None = None,
) -> tuple[TextCheck, ...]:
    """Runs all checks that apply to the purpose, in a fixed order.

    Args:
        text: The generated text, without a visible label.
        request: The request of the text.
        lists: The lists of the checks.
        limits: The `checks` section.
        judged: The labeller's predictions. Without them word lists judge sentiment, and category is not checked.
        training: Index of the model's training texts in the language of the request.
    """
    judged = judged or LabellerPrediction()
    found = [
        check_length(text, request, limits),
        check_language(text, request, limits),
        check_repetition(text, request, limits),
        check_personal_data(text, request),
        check_harm(text, lists, limits, judged),
        check_leakage(text, request),
    ]
    if request.purpose in IN_SHOPS_NAME:
        found += [check_superlatives(text, lists), check_voice(text, request)]
    if request.purpose in ("augmentation", "draft_for_verified_buyer"):
        # The labeller and the word lists are for reviews: a reply to a negative review is not a negative review.
        found += [
            *check_sentiment(text, request, lists, limits, judged),
            *check_category(request, judged),
        ]
    if request.purpose not in ("summary", "draft_for_verified_buyer"):  # these two contain quotes
        found.append(check_copying(text, request, limits, training))
    return tuple(found)


def failed(checks: tuple[TextCheck, ...]) -> tuple[TextCheck, ...]:
    """Returns the failed checks."""
    return tuple(check for check in checks if not check.is_passed)


def check_length(text: str, request: TextRequest, limits: ChecksSection) -> TextCheck:
    """Checks that the size is within the requested bounds, with a tolerance."""
    size = text_size(text, request.lang_code)
    low, high = LENGTH_BOUNDS[request.lang_code][request.length]
    slack = limits.length_tolerance_pct / 100
    if not units(text, request.lang_code):
        return TextCheck("length", 1.0, False, "holds no letters")
    if low <= size <= high:
        return TextCheck("length", 0.0, True)
    off = (low - size) / low if size < low else (size - high) / high
    reason = f"size {size}; asked for {low} to {high}"
    return TextCheck("length", round(min(off, 1.0), 4), off <= slack, reason)


def check_language(text: str, request: TextRequest, limits: ChecksSection) -> TextCheck:
    """Checks that the text has the requested language. A text that is too short to decide passes."""
    language = detect(text)
    if language.code.split("-")[0] == request.lang_code:
        return TextCheck("language", round(1 - language.score, 4), True)
    if language.score < limits.min_language_score:
        return TextCheck("language", language.score, True, "too little to tell")
    return TextCheck("language", language.score, False, f"is {language.code}; asked for {request.lang_code}")


_GRAMS = {"zh": 4, "en": 3}


def check_repetition(text: str, request: TextRequest, limits: ChecksSection) -> TextCheck:
    """Checks the share of repeated n-grams: 4 characters in Chinese, 3 words in English.

    Source: Welleck et al. 2020.
    """
    sequence, size = units(text, request.lang_code), _GRAMS[request.lang_code]
    grams = Counter(sequence[start : start + size] for start in range(len(sequence) - size + 1))
    total = sum(grams.values())
    share = 1 - len(grams) / total if total else 0.0
    is_passed = share <= limits.max_repetition
    reason = None if is_passed else f"{share:.0%} of its {size}-grams repeat; at most {limits.max_repetition:.0%}"
    return TextCheck("repetition", round(share, 4), is_passed, reason)


_MASK = re.compile(rf"\[(?:{'|'.join(pii.TYPES)})\]")
_NORTH_AMERICAN_PHONE = re.compile(r"(?<![\d-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d-])")
_US_SOCIAL_SECURITY = re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")


def check_personal_data(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text has no personal data except the shop's, and that a publishable text has no mask."""
    for pair in request.attributes:  # may contain the shop's hotline
        text = text.replace(pair.value, " ") if pair.value else text
    kinds = set(pii.mask(text).counts)
    if _NORTH_AMERICAN_PHONE.search(text):
        kinds.add("PHONE")
    if _US_SOCIAL_SECURITY.search(text):
        kinds.add("ID_CARD")
    if kinds:
        return TextCheck("personal_data", 1.0, False, f"holds {', '.join(sorted(kinds))}")
    if request.purpose in PUBLISHABLE and _MASK.search(text):
        return TextCheck("personal_data", 0.5, False, "holds the mask of personal data")
    return TextCheck("personal_data", 0.0, True)


def check_harm(text: str, lists: CheckLists, limits: ChecksSection, judged: LabellerPrediction) -> TextCheck:
    """Checks that a text has no harmful phrase, and is not toxic if the labeller predicts toxicity."""
    toxicity = judged.toxicity_score or 0.0
    if found := lists.harmful.find(text):
        kinds = ", ".join(sorted({phrase.kind for phrase in found}))
        return TextCheck("harm", 1.0, False, f"holds phrases of the list of harmful ones: {kinds}")
    is_passed = toxicity <= limits.max_toxicity
    reason = None if is_passed else f"toxic by the labeller: {toxicity:.2f}; at most {limits.max_toxicity:.2f}"
    return TextCheck("harm", round(toxicity, 4), is_passed, reason)


def check_leakage(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text has no part of the prompt, no control codes and no model that mentions itself."""
    reason = leaked(text, request)
    return TextCheck("leakage", 1.0 if reason else 0.0, reason is None, reason)


def check_superlatives(text: str, lists: CheckLists) -> TextCheck:
    """Checks that a text of the shop has no absolute claims. Source: China's advertising law, art. 9."""
    found = lists.superlatives.find(text)
    reason = f"claims {', '.join(sorted({phrase.phrase for phrase in found}))}" if found else None
    return TextCheck("superlatives", min(1.0, len(found) / 2), not found, reason)


def check_voice(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text of the shop does not sound like a customer."""
    poses = customer_voice(text, request.lang_code)
    return TextCheck("voice", float(poses), not poses, "speaks as a customer" if poses else None)


def wanted_sentiment(request: TextRequest) -> Sentiment | None:
    """Returns the requested sentiment, by name or by stars."""
    if request.sentiment is not None or request.stars in (None, 3):
        return request.sentiment
    return "positive" if request.stars is not None and request.stars > 3 else "negative"


def check_sentiment(
    text: str, request: TextRequest, lists: CheckLists, limits: ChecksSection, judged: LabellerPrediction
) -> tuple[TextCheck, ...]:
    """Checks the requested sentiment by the labeller, else by word lists. Without a known word it passes."""
    wanted = wanted_sentiment(request)
    if wanted is None:
        return ()
    if judged.sentiment_score is not None:
        positive, judge = judged.sentiment_score, "the labeller"
    else:
        verdict = lists.reader.lexicon.judge(lists.reader.tokeniser.words(text).tokens)
        if not verdict.matches:
            return (TextCheck("sentiment", 0.5, True, "no word of the lists"),)
        positive, judge = (verdict.score + 1) / 2, "word lists"
    opposite = round(1 - positive if wanted == "positive" else positive, 4)
    is_passed = opposite <= limits.max_contradiction
    reason = None if is_passed else f"{opposite:.0%} the opposite of {wanted} by {judge}"
    return (TextCheck("sentiment", opposite, is_passed, reason),)


def check_category(request: TextRequest, judged: LabellerPrediction) -> tuple[TextCheck, ...]:
    """Checks the requested category by the labeller."""
    if judged.category_label is None or request.category is None:
        return ()
    is_passed = judged.category_label == request.category
    return (
        TextCheck("category", float(not is_passed), is_passed, None if is_passed else "another one by the labeller"),
    )


def check_copying(text: str, request: TextRequest, limits: ChecksSection, training: CopyIndex | None) -> TextCheck:
    """Checks that no long run is copied from a source or from training texts. Source: Carlini et al. 2023.

    Replies are not compared with training texts, because a fifth of real replies share a polite phrase with another.
    """
    most = limits.max_copied_zh if request.lang_code == "zh" else limits.max_copied_en
    run = longest_common_run(text, (source.text for source in request.sources), request.lang_code)
    place = "a source"
    if training is not None and request.purpose != "reply" and (trained := training.longest_run(text)) > run:
        run, place = trained, "training data"
    size = len(units(text, request.lang_code))
    reason = None if run <= most else f"{run} in a row as in {place}; at most {most}"
    return TextCheck("copying", round(run / size, 4) if size else 0.0, run <= most, reason)
