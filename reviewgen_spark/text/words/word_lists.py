"""Reads word lists and user dictionaries, UTF-8 files with one entry a line. `#` starts a comment line."""

from pathlib import Path

from reviewgen_spark.errors import ConfigError

UserWord = tuple[str, int | None, str | None]
"""A word with its frequency and part of speech. They are None if the dictionary lacks them."""


def word_set(words: str) -> frozenset[str]:
    """Returns the words of a short list in the code, which are separated by blanks.

    >>> sorted(word_set("high low"))
    ['high', 'low']
    """
    return frozenset(words.split())


def read_words(path: Path) -> frozenset[str]:
    """Reads a word list with one word a line. `#` starts a comment line.

    Raises:
        ConfigError: The file is missing or is not UTF-8.
    """
    return frozenset(line.split()[0] for line in read_lines(path))


def read_user_words(path: Path) -> list[UserWord]:
    """Reads a user dictionary in jieba's format: `word [frequency] [tag]` a line.

    Raises:
        ConfigError: The file is missing, is not UTF-8, or a line has too many fields.
    """
    words: list[UserWord] = []
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
    """Returns the lines of a dictionary, without comments and empty lines.

    Raises:
        ConfigError: The file is missing or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such dictionary; check the `tokens` section and conf/dictionaries") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: got bytes that are not UTF-8; save the dictionary as UTF-8") from error
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
