"""Splits reviews into words: Chinese by jieba, English by spaCy's rules, mixed text span by span.

`rjieba` is jieba in Rust and about ten times faster. `jieba` can be chosen in the config. Both use the same user
dictionary. rjieba has no `load_userdict`, but `add_word` with frequency and tag has the same effect. English prose of
two or more Latin words is split by spaCy's blank English tokenizer. A single Latin word in Chinese text is one token.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import filterfalse
from pathlib import Path
from typing import Any, NamedTuple

from reviewgen_spark.config import TokensSection
from reviewgen_spark.text.words.word_lists import UserWord, read_user_words, read_words

# The spans: a marker such as [PHONE] or [开心]; English prose, or one word with its apostrophe; a number with its
# decimal point. Each pattern lacks the first character. One class matches it for all, because alternatives are slow.
_LATIN = r"A-Za-z\u00c0-\u024f"
_MARKER = r"(?<=\[)(?:[A-Z_]{2,9}|[\u4e00-\u9fff]{1,4})\]"
# A model with a dash and a version (USB3.0) are one word. A range of sizes (S-2XL) is not.
_MODEL = r"(?:-(?![0-9]X+L)[A-Za-z]*[0-9][A-Za-z0-9]*|(?<=[0-9])\.[0-9]+)*"
_WORD = rf"[{_LATIN}0-9]*{_MODEL}(?:['’][A-Za-z]+)*(?:\+\+|#(?![A-Za-z0-9]))?"
_PROSE = rf"(?<=[{_LATIN}]){_WORD}(?:(?:[!-@]* [ -@]*[{_LATIN}]{_WORD})+[.!?]*)?"
# A resolution (1920x1080) and a size (120*60*75) are one number.
_NUMBER = r"(?<=[0-9])[0-9]*(?:[.,:xX*×][0-9]+)*%?[A-Za-z]*"
# A measure word after a number is one word: jieba joins it with the noun behind it (部手机 in 3部手机).
_MEASURED = (
    "间房|张[床卡膜碟盘]|颗[星心]|部手机|本书|首歌|层楼|辆车|瓶水|道题|套书|套餐具|双[鞋袜]|件产品|份文件|颗卫星|架飞机"
)
_MEASURES = "".join(sorted({noun[0] for noun in _MEASURED.split("|")}))
_MEASURE = rf"(?<=[0-9].)(?<=(?=(?:{_MEASURED})).)"
# A decimal number in Chinese (二点三五万亿, 六点五寸) needs a unit, because 一点 also means a little. jieba cuts a
# number behind 亿 and 零 (一亿八千万, 五千零二十).
_DIGITS = "零一二两三四五六七八九"
_DECIMAL = (
    rf"(?<=[{_DIGITS}十])[{_DIGITS}十百千万]*[亿零][{_DIGITS}十百千万亿]+"
    rf"|(?<=[{_DIGITS}十])[{_DIGITS}十百千]*点[{_DIGITS}]+(?:[万亿]+|(?=[倍升寸米厘公斤克元块度折吨毫英尺兆平]))"
)
# One class, then a lookbehind, because two alternatives take twice the time. Greek and Cyrillic are in the class,
# because they have capitals too.
_NEEDS_SPANS = re.compile(
    rf"[{_LATIN}\[0-9\u0370-\u052f点亿零](?:(?<![0-9点亿零])|(?<=[0-9])(?:[,:*×][0-9]|{_MEASURED})"
    rf"|(?<=[{_DIGITS}十百千万][点亿零])[{_DIGITS}])"
)
# English signs that writers use for an apostrophe (isn`t, isn´t).
_APOSTROPHE = re.compile(rf"(?<=[{_LATIN}])[`\u00b4\u02b9\u02bc\u2018\u2032\uff07](?=[A-Za-z]{{1,2}}(?![{_LATIN}]))")
# White space is listed, because a category such as \s takes twice the time.
_SPACE = re.compile("[ \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_WORDLESS = re.compile(r"[\W_]+")
_MAX_DROPPED = 50_000  # dropped tokens that are cached, because the number of different runs of marks has no limit

Cut = Callable[[str], list[str]]
Tag = Callable[[str], list[tuple[str, str]]]


class Words(NamedTuple):
    """Holds the tokens and the content words of a text.

    `tokens` are its words, numbers, markers and punctuation in order, without spaces. `content_words` are lower case.
    They exclude stop words, punctuation and, depending on the config, some parts of speech.
    """

    tokens: list[str]
    content_words: list[str]


class Tokeniser:
    """Splits texts by one engine and its dictionaries.

    Pickling sends only the arguments. A worker loads the files again.

    Args:
        section: The `tokens` section.
        dictionaries: The folder of the section's word lists.

    >>> words = Tokeniser(TokensSection(user_dictionary=None, stop_words=None), Path(".")).words
    >>> words("手机不错，I don't like it [PHONE] 3.5寸").tokens
    ['手机', '不错', '，', 'I', 'do', "n't", 'like', 'it', '[PHONE]', '3.5', '寸']
    >>> words("Good，不").content_words
    ['good', '不']
    """

    def __init__(self, section: TokensSection, dictionaries: Path) -> None:
        self.section = section
        self.dictionaries = dictionaries
        words = read_user_words(dictionaries / section.user_dictionary) if section.user_dictionary else ()
        self.stop_words = read_words(dictionaries / section.stop_words) if section.stop_words else frozenset()
        self._dropped = set(self.stop_words)
        self._cut, self._tag = _engine(section.engine, tuple(words))
        # The spans would split a user word of mixed scripts (T恤, 3C数码), so such words are matched first.
        mixed_words = [word for word, _, _ in words if re.search(r"[A-Za-z0-9]", word) and not word.isascii()]
        word_patterns = [
            f"(?<={re.escape(word[0])}){re.escape(word[1:])}" for word in sorted(mixed_words, key=len, reverse=True)
        ]
        patterns = [_MARKER, *word_patterns, _PROSE, _NUMBER, _DECIMAL, _MEASURE]
        first_characters = "".join({re.escape(word[0]) for word in mixed_words})
        self._spans = re.compile(rf"([{_LATIN}\[0-9{_DIGITS}十{_MEASURES}{first_characters}](?:{'|'.join(patterns)}))")
        self._english = _english()

    def __reduce__(self) -> tuple[type["Tokeniser"], tuple[TokensSection, Path]]:
        return Tokeniser, (self.section, self.dictionaries)

    def words(self, text: str) -> Words:
        """Splits a text into words. It never raises, for any string."""
        try:
            return self._words(text)
        except UnicodeEncodeError:
            # rjieba needs UTF-8, which cannot encode a lone surrogate. The clean stage removes these.
            return self._words(text.encode("utf-8", "ignore").decode("utf-8"))

    def _words(self, text: str) -> Words:
        if not _NEEDS_SPANS.search(text):
            tokens = self._cut(text)
            if _SPACE.search(text):
                tokens = [token for token in tokens if not token.isspace()]
            lowered = tokens
        else:
            tokens = self._split_by_spans(text)
            lowered = [token.lower() for token in tokens]
        if self.section.parts_of_speech:
            lowered = self._words_by_part_of_speech(text)
        content_words = list(filterfalse(self._dropped.__contains__, lowered))
        if not "".join(content_words).isalnum():
            content_words = [word for word in content_words if word.isalnum() or self._is_word(word)]
        return Words(tokens, content_words)

    def _split_by_spans(self, text: str) -> list[str]:
        tokens: list[str] = []
        text = _APOSTROPHE.sub("'", text)
        # The result of re.split with one group: spans have odd indices, the text between them even ones.
        for index, part in enumerate(self._spans.split(text)):
            if index % 2:
                if " " in part:
                    tokens += self._english.cut(part)
                else:
                    tokens.append(part)
            elif part and part != " ":
                words = self._cut(part)
                tokens += [token for token in words if not token.isspace()] if _SPACE.search(part) else words
        return tokens

    def _words_by_part_of_speech(self, text: str) -> list[str]:
        prefixes = self.section.parts_of_speech
        return [word.lower() for word, tag in self._tag(text) if tag.startswith(prefixes)]

    def _is_word(self, token: str) -> bool:
        """Checks whether a token with marks (3.5, n't) is a word. A token of marks only is cached as no word."""
        if not _WORDLESS.fullmatch(token):
            return True
        if len(self._dropped) < _MAX_DROPPED:
            self._dropped.add(token)
        return False


class _English:
    """Splits English by spaCy's blank tokenizer, which is loaded at the first use."""

    _MAX_STRINGS = 500_000  # then the pipeline is loaded again, because spaCy stores every token that it has seen

    def __init__(self) -> None:
        self._pipeline: Any = None

    def cut(self, text: str) -> list[str]:
        """Returns the tokens of English prose, without spaces.

        >>> _English().cut("It's great, isn't it?")
        ['It', "'s", 'great', ',', 'is', "n't", 'it', '?']
        """
        if self._pipeline is None or len(self._pipeline.vocab.strings) > self._MAX_STRINGS:
            import spacy

            self._pipeline = spacy.blank("en")
            for name in ("C#", "F#", "c#", "f#"):
                self._pipeline.tokenizer.add_special_case(name, [{"ORTH": name}])
        return [token.text for token in self._pipeline.tokenizer(text) if not token.is_space]


@lru_cache(maxsize=1)
def _english() -> _English:
    """Returns the English tokenizer of this process, because spaCy's takes 0.1 s to make."""
    return _English()


@lru_cache(maxsize=4)
def _engine(name: str, words: tuple[UserWord, ...]) -> tuple[Cut, Tag]:
    """Returns functions that split and tag texts. A process loads each once: 0.1 s for rjieba, 0.7 s for jieba."""
    if name == "rjieba":
        import rjieba

        engine = rjieba.Jieba()
        for word, frequency, tag in words:
            engine.add_word(word, frequency, tag)
        return engine.cut, engine.tag
    import logging

    import jieba
    import jieba.posseg

    jieba.setLogLevel(logging.WARNING)  # otherwise jieba reports its cache file on stderr
    tokenizer = jieba.Tokenizer()
    for word, frequency, tag in words:
        tokenizer.add_word(word, frequency, tag)
    tagger = jieba.posseg.POSTokenizer(tokenizer)
    return tokenizer.lcut, lambda text: [(pair.word, pair.flag) for pair in tagger.cut(text)]
