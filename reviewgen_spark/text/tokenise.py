"""Cut reviews into words: Chinese by jieba's dictionary and model, Latin words, numbers and markers by spans.

`rjieba` is jieba in Rust, some ten times faster; `jieba` remains by config. Both take the same user dictionary:
rjieba has no `load_userdict`, but `add_word` with the file's frequency and tag does the same.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from reviewgen_spark.errors import ConfigError
from reviewgen_spark.sections import TokensSection

# A marker such as [PHONE] or [开心]; an English word with its apostrophe; a number with its point or percent sign.
_MARKER = r"\[(?:[A-Z_]{2,9}|[\u4e00-\u9fff]{1,4})\]"
_WORD = r"[A-Za-z\u00c0-\u024f][A-Za-z0-9\u00c0-\u024f]*(?:['’][A-Za-z]+)*(?:\+\+|#(?![A-Za-z0-9]))?"
_NUMBER = r"\d+(?:[.,:]\d+)*%?[A-Za-z]*"
_NEEDS_SPANS = re.compile(r"[A-Za-z\[\u00c0-\u024f]|\d[,:]\d")
_SPACE = re.compile(r"\s")
_WORDLESS = re.compile(r"[\W_]+")


class Tokeniser:
    """One engine with its dictionaries. It cannot be pickled for Spark: build it on the executor from the files.

    Args:
        section: the `tokens` section.
        dictionaries: the folder of the word lists that the section names.

    >>> cut = Tokeniser(TokensSection(user_dictionary=None, stop_words=None), Path(".")).tokens
    >>> cut("手机不错，I don't like it [PHONE] 3.5寸")
    ['手机', '不错', '，', 'I', "don't", 'like', 'it', '[PHONE]', '3.5', '寸']
    """

    def __init__(self, section: TokensSection, dictionaries: Path) -> None:
        self.section = section
        self.dictionaries = dictionaries
        words = read_user_words(dictionaries / section.user_dictionary) if section.user_dictionary else ()
        self.stop_words = read_words(dictionaries / section.stop_words) if section.stop_words else frozenset()
        self._cut = _engine(section.engine, tuple(words))
        # A user word that mixes scripts (T恤, 3C数码) would be torn by the spans, so the spans know it first.
        mixed = [re.escape(word) for word, _, _ in words if re.search(r"[A-Za-z0-9]", word) and not word.isascii()]
        own = "|".join(sorted(mixed, key=len, reverse=True))
        self._spans = re.compile(f"({_MARKER}|{own + '|' if own else ''}{_WORD}|{_NUMBER})")

    def __reduce__(self) -> tuple[type["Tokeniser"], tuple[TokensSection, Path]]:
        return Tokeniser, (self.section, self.dictionaries)

    def tokens(self, text: str) -> list[str]:
        """The words, numbers, markers and punctuation of a text in order, without spaces."""
        try:
            return self._tokens(text)
        except UnicodeEncodeError:
            # rjieba takes UTF-8: a lone surrogate, which the clean stage removes, has none.
            return self._tokens(text.encode("utf-8", "ignore").decode("utf-8"))

    def _tokens(self, text: str) -> list[str]:
        cut = self._cut
        if not _NEEDS_SPANS.search(text):
            tokens = cut(text)
            return [token for token in tokens if not token.isspace()] if _SPACE.search(text) else list(tokens)
        tokens = []
        # re.split with one group: what stands between the spans is even, the spans themselves are odd.
        for place, part in enumerate(self._spans.split(text)):
            if place % 2:
                tokens.append(part)
            elif part and part != " ":
                tokens.extend(token for token in cut(part) if not token.isspace())
        return tokens

    def content_words(self, tokens: list[str]) -> list[str]:
        """The tokens without stop words, punctuation and bare marks, Latin ones in lower case.

        >>> section = TokensSection(user_dictionary=None, stop_words=None)
        >>> Tokeniser(section, Path(".")).content_words(["Good", "，", "不"])
        ['good', '不']
        """
        stops = self.stop_words
        lowered = (token.lower() for token in tokens)
        return [
            token for token in lowered if token not in stops and (token.isalnum() or not _WORDLESS.fullmatch(token))
        ]


def read_words(path: Path) -> frozenset[str]:
    """A word list: one word a line, `#` starts a comment line.

    Raises:
        ConfigError: when the file is missing or is not UTF-8.
    """
    return frozenset(line.split()[0] for line in read_lines(path))


def read_user_words(path: Path) -> list[tuple[str, int | None, str | None]]:
    """A user dictionary in jieba's format: `word [frequency] [tag]` a line.

    Raises:
        ConfigError: when the file is missing, is not UTF-8, or a frequency is no number.
    """
    words: list[tuple[str, int | None, str | None]] = []
    for line in read_lines(path):
        word, *rest = line.split()
        frequency = int(rest.pop(0)) if rest and rest[0].isdigit() else None
        if len(rest) > 1:
            raise ConfigError(
                f"{path.name}: got {len(rest) + 1} fields after a word; expected 'word [frequency] [tag]'"
            )
        words.append((word, frequency, rest[0] if rest else None))
    return words


def read_lines(path: Path) -> list[str]:
    """The lines of a dictionary that hold something, without comments.

    Raises:
        ConfigError: when the file is missing or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such dictionary; check the `tokens` section and conf/dictionaries") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got bytes that are not UTF-8; save the dictionary as UTF-8") from error
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


@lru_cache(maxsize=4)
def _engine(name: str, words: tuple[tuple[str, int | None, str | None], ...]) -> Callable[[str], list[str]]:
    """A cutting function with the user words added; loaded once a process, 0.1 s for rjieba and 0.7 s for jieba."""
    cut: Callable[[str], list[str]]
    if name == "rjieba":
        import rjieba

        engine = rjieba.Jieba()
        for word, frequency, tag in words:
            engine.add_word(word, frequency, tag)
        cut = engine.cut
        return cut
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)  # it reports its cache file on stderr otherwise
    tokenizer = jieba.Tokenizer()
    for word, frequency, tag in words:
        tokenizer.add_word(word, frequency, tag)
    cut = tokenizer.lcut
    return cut
