"""Checks a generated text before it is published. Each check returns a score, a result and a reason.

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
        reason: Reason of the result. A failed check always has one.
    """

    name: str
    score: float
    is_passed: bool
    reason: str | None = None


class LabellerPrediction(NamedTuple):
    """Holds the labeller's predictions for a text. A prediction is None if the model has no such head."""

    sentiment_score: float | None = None
    category_label: str | None = None
    toxicity_score: float | None = None


@dataclass(frozen=True)
class CheckLists:
    """Holds all lists that checks read from files. A worker loads them once."""

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
    prediction: LabellerPrediction | None = None,
    training: CopyIndex | None = None,
) -> tuple[TextCheck, ...]:
    """Runs all checks that apply to the purpose, in a fixed order.

    Args:
        text: The generated text, without a visible label.
        request: The request of the text.
        lists: The lists of the checks.
        limits: The `checks` section.
        prediction: The labeller's predictions. Without them sentiment is checked by word lists, and category is not.
        training: Index of the model's training texts in the language of the request.
    """
    prediction = prediction or LabellerPrediction()
    checks = [
        check_length(text, request, limits),
        check_language(text, request, limits),
        check_repetition(text, request, limits),
        check_personal_data(text, request),
        check_harm(text, lists, limits, prediction),
        check_leakage(text, request),
    ]
    if request.purpose in IN_SHOPS_NAME:
        checks += [check_superlatives(text, lists), check_voice(text, request)]
    if request.purpose in ("augmentation", "draft_for_verified_buyer"):
        # Only for reviews, because a reply to a negative review is not itself a negative review.
        checks += [
            *check_sentiment(text, request, lists, limits, prediction),
            *check_category(request, prediction),
        ]
    if request.purpose not in ("summary", "draft_for_verified_buyer"):  # these two contain quotes
        checks.append(check_copying(text, request, limits, training))
    return tuple(checks)


def failed(checks: tuple[TextCheck, ...]) -> tuple[TextCheck, ...]:
    """Returns the failed checks."""
    return tuple(check for check in checks if not check.is_passed)


def check_length(text: str, request: TextRequest, limits: ChecksSection) -> TextCheck:
    """Checks that the size is within the requested bounds, or outside them by no more than the tolerance."""
    size = text_size(text, request.lang_code)
    low, high = LENGTH_BOUNDS[request.lang_code][request.length]
    tolerance = limits.length_tolerance_pct / 100
    if not units(text, request.lang_code):
        return TextCheck("length", 1.0, False, "holds no letters")
    if low <= size <= high:
        return TextCheck("length", 0.0, True)
    deviation = (low - size) / low if size < low else (size - high) / high
    reason = f"size {size}; asked for {low} to {high}"
    return TextCheck("length", round(min(deviation, 1.0), 4), deviation <= tolerance, reason)


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


def check_personal_data(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text has no personal data except the shop's, and that a publishable text has no mask."""
    for pair in request.attributes:  # may contain the shop's hotline
        text = text.replace(pair.value, " ") if pair.value else text
    if kinds := pii.mask(text).counts:
        return TextCheck("personal_data", 1.0, False, f"holds {', '.join(sorted(kinds))}")
    if request.purpose in PUBLISHABLE and _MASK.search(text):
        return TextCheck("personal_data", 0.5, False, "holds the mask of personal data")
    return TextCheck("personal_data", 0.0, True)


def check_harm(text: str, lists: CheckLists, limits: ChecksSection, prediction: LabellerPrediction) -> TextCheck:
    """Checks that a text has no harmful phrase, and is not toxic if the labeller predicts toxicity."""
    toxicity = prediction.toxicity_score or 0.0
    if matches := lists.harmful.find(text):
        kinds = ", ".join(sorted({phrase.kind for phrase in matches}))
        return TextCheck("harm", 1.0, False, f"holds phrases of the list of harmful ones: {kinds}")
    is_passed = toxicity <= limits.max_toxicity
    reason = None if is_passed else f"toxic by the labeller: {toxicity:.2f}; at most {limits.max_toxicity:.2f}"
    return TextCheck("harm", round(toxicity, 4), is_passed, reason)


def check_leakage(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text has no part of the prompt and no control codes, and does not mention its model."""
    reason = leaked(text, request)
    return TextCheck("leakage", 1.0 if reason else 0.0, reason is None, reason)


def check_superlatives(text: str, lists: CheckLists) -> TextCheck:
    """Checks that a text of the shop has no absolute claims. Source: China's advertising law, art. 9."""
    matches = lists.superlatives.find(text)
    reason = f"claims {', '.join(sorted({phrase.phrase for phrase in matches}))}" if matches else None
    return TextCheck("superlatives", min(1.0, len(matches) / 2), not matches, reason)


def check_voice(text: str, request: TextRequest) -> TextCheck:
    """Checks that a text of the shop does not sound like a customer."""
    is_customer = customer_voice(text, request.lang_code)
    return TextCheck("voice", float(is_customer), not is_customer, "speaks as a customer" if is_customer else None)


def requested_sentiment(request: TextRequest) -> Sentiment | None:
    """Returns the requested sentiment, by name or by stars."""
    if request.sentiment is not None or request.stars in (None, 3):
        return request.sentiment
    return "positive" if request.stars is not None and request.stars > 3 else "negative"


def check_sentiment(
    text: str, request: TextRequest, lists: CheckLists, limits: ChecksSection, prediction: LabellerPrediction
) -> tuple[TextCheck, ...]:
    """Checks the requested sentiment by the labeller, else by word lists. A text without a word of the lists passes."""
    requested = requested_sentiment(request)
    if requested is None:
        return ()
    if prediction.sentiment_score is not None:
        positive, judged_by = prediction.sentiment_score, "the labeller"
    else:
        lexicon_score = lists.reader.lexicon.judge(lists.reader.tokeniser.words(text).tokens)
        if not lexicon_score.matches:
            return (TextCheck("sentiment", 0.5, True, "no word of the lists"),)
        positive, judged_by = (lexicon_score.score + 1) / 2, "word lists"
    opposite = round(1 - positive if requested == "positive" else positive, 4)
    is_passed = opposite <= limits.max_contradiction
    reason = None if is_passed else f"{opposite:.0%} the opposite of {requested} by {judged_by}"
    return (TextCheck("sentiment", opposite, is_passed, reason),)


def check_category(request: TextRequest, prediction: LabellerPrediction) -> tuple[TextCheck, ...]:
    """Checks the requested category by the labeller."""
    if prediction.category_label is None or request.category is None:
        return ()
    is_passed = prediction.category_label == request.category
    return (
        TextCheck("category", float(not is_passed), is_passed, None if is_passed else "another one by the labeller"),
    )


def check_copying(text: str, request: TextRequest, limits: ChecksSection, training: CopyIndex | None) -> TextCheck:
    """Checks that the text copies no long run from a source or from training texts.

    Replies are not compared with training texts, because a fifth of real replies share a polite phrase with another.
    Source: Carlini et al. 2023.
    """
    max_run = limits.max_copied_zh if request.lang_code == "zh" else limits.max_copied_en
    run = longest_common_run(text, (source.text for source in request.sources), request.lang_code)
    origin = "a source"
    if training is not None and request.purpose != "reply" and (training_run := training.longest_run(text)) > run:
        run, origin = training_run, "training data"
    size = len(units(text, request.lang_code))
    reason = None if run <= max_run else f"{run} in a row as in {origin}; at most {max_run}"
    return TextCheck("copying", round(run / size, 4) if size else 0.0, run <= max_run, reason)
