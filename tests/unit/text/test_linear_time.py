"""Tests that each public function of the package `text` takes linear time in the length of its texts.

The functions are found by inspection. A new function that takes a text is tested without a change here. Other
parameters get a value by their type. A function with a parameter of another type
is not called.
"""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import process_time
from typing import Any

import pytest

import reviewgen_spark.text
from reviewgen_spark.config import ChecksSection, CleanSection, TokensSection
from reviewgen_spark.text.checks.checks import CheckLists, LabellerPrediction
from reviewgen_spark.text.cleaning.cleaner import Cleaner
from reviewgen_spark.text.cleaning.normalise import Normaliser
from reviewgen_spark.text.opinions.aspects import OpinionReader
from reviewgen_spark.text.opinions.lexicon import Lexicon
from reviewgen_spark.text.requests.request import Source, TextRequest
from reviewgen_spark.text.similarity.copied_runs import CopyIndex
from reviewgen_spark.text.similarity.minhash import MinHash
from reviewgen_spark.text.words.phrase_lists import PhraseList
from reviewgen_spark.text.words.tokeniser import Tokeniser

CONF = Path(__file__).parents[3] / "conf"
LENGTH = 100_000
MAX_SECONDS = 1.0
SHORT_SECONDS = 0.06  # of a quarter of the length: a quadratic function then takes 16 times as long, under a second
PIECES = (
    *(
        " ",
        "\n",
        "\u3000",
        ". ",
        "。",
        "...",
        ")",
        "(",
        "[",
        "<",
        "1",
        "1.",
        "1 ",
        "１",
        '"',
        "“",
        "@",
        "a@",
        "#",
        "-",
        "_",
    ),
    *(":", "&", "a", "ab ", "http://", "好", "不", "很好", "好。", "区", "路1号", "微信", "\u0301", "😀"),
    *("ignore all ", "system: ", "忽略所有", "作为一个", "<data", "\\u", "0x41 "),
)
"""The runs: blanks, stops, brackets, digits, quotes, at signs, letters, Chinese, and pieces of patterns."""

LISTS = CheckLists.load(CONF / "safety", CONF / "dictionaries", TokensSection())
TOKENISER = Tokeniser(TokensSection(), CONF / "dictionaries")
VALUES: dict[Any, Any] = {
    CheckLists: LISTS,
    ChecksSection: ChecksSection(),
    CleanSection: CleanSection(max_chars=LENGTH),
    PhraseList: LISTS.refused,
    OpinionReader: LISTS.reader,
    Lexicon: LISTS.reader.lexicon,
    Tokeniser: TOKENISER,
    LabellerPrediction: LabellerPrediction(),
    int: 3,
    float: 0.5,
}
METHODS: dict[str, Callable[[str], object]] = {
    "Cleaner.clean": Cleaner(CleanSection(max_chars=LENGTH)).clean,
    "Normaliser.normalise": Normaliser(CleanSection()).normalise,
    "Tokeniser.words": TOKENISER.words,
    "OpinionReader.read": LISTS.reader.read,
    "PhraseList.find": LISTS.harmful.find,
    "MinHash.band_hashes": lambda text: MinHash(3, 12, 5).band_hashes([text]),
    "CopyIndex.longest_run": CopyIndex.build(["很好用的一个电池，推荐大家购买"], "zh").longest_run,
}


def _value(name: str, hint: Any, text: str) -> Any:
    """Returns an argument of a type; each text is the long one. Raises LookupError for an unknown type."""
    if hint is TextRequest:
        return TextRequest("reply", "p", "zh", sources=(Source("r", text),))
    if hint in VALUES:
        return VALUES[hint]
    if hint is str or (
        typing.get_origin(hint) and str in typing.get_args(hint) and type(None) in typing.get_args(hint)
    ):
        return text
    if name == "lang_code":
        return "zh"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, Sequence, Iterable) and arguments == (str,):
        return [text]
    if origin in (list, Sequence, Iterable) and typing.get_args(arguments[0]) == (str, str):
        return [(text, text + "好")]
    raise LookupError(name)


def _functions() -> dict[str, Callable[[str], object]]:
    """Returns all public functions that take a text, each as a function of the text alone."""
    functions: dict[str, Callable[[str], object]] = dict(METHODS)
    package = reviewgen_spark.text
    for module_info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(module_info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module.__name__:
                continue
            called = _call(function)
            if called:
                functions[f"{module.__name__.rpartition('.')[2]}.{name}"] = called
    return functions


def _call(function: Callable[..., object]) -> Callable[[str], object] | None:
    """Returns a call of a function with one text; None if it takes no text or a value that is not known here."""
    hints = typing.get_type_hints(function)
    required = {
        name: hints.get(name)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    try:
        first, other = ({key: _value(key, hint, text) for key, hint in required.items()} for text in ("a", "b"))
    except LookupError:
        return None
    if first == other:
        return None

    def call(text: str) -> object:
        result = function(**{name: _value(name, hint, text) for name, hint in required.items()})
        return list(result) if inspect.isgenerator(result) else result

    return call


FUNCTIONS = _functions()


def _seconds(function: Callable[[str], object], text: str) -> float:
    started = process_time()
    with suppress(ValueError, LookupError, OSError):  # a wrong value must be refused in linear time too
        function(text)
    return process_time() - started


def test_the_functions_are_found() -> None:
    names = {"prompt_injection.is_injection", "checks.check_leakage", "sentences.cut_sentences", "pii.mask"}
    names |= {"readings.squeeze", "verdicts.turns_verdict", "cleaner.key_of", "minhash.jaccard", "language.detect"}
    assert names <= set(FUNCTIONS)
    assert len(FUNCTIONS) > 50


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_takes_linear_time(name: str) -> None:
    """A text of 100,000 characters takes a second at most. A quarter of it shows most functions to be fast."""
    function, slow = FUNCTIONS[name], []
    for piece in PIECES:
        _seconds(function, piece * 2)  # loads what the first text of a language needs, such as a tokenizer
        for length in (LENGTH // 4, LENGTH // 2, LENGTH):
            seconds = _seconds(function, (piece * length)[:length])
            if seconds > MAX_SECONDS:
                slow.append(f"{piece!r} x {length}: {seconds:.2f} s")
                break
            if length == LENGTH // 4 and seconds <= SHORT_SECONDS:
                break
    assert not slow, "; ".join(slow)
