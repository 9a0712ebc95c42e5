"""Prints lines for people, and is the only place that does: it hides secrets and escapes control characters.

A name of a file, a column or a product comes from outside. Printed raw it could forge a line of the log, or give
commands to a terminal. An address can contain a password, in a setting as well as in the message of an exception.
`reviewgen sql` prints rows, not messages, and escapes them by `escape_controls`.
"""

import argparse
import os
import re
import sys
import unicodedata
from typing import NoReturn

HIDDEN = "***"
_MIN_CHARS = 8  # a shorter value of a variable is also a part of ordinary words
_ZERO_WIDTH_JOINER = "\u200d"
_EMOJI_PARTS = ("So", "Sk", "Mn")  # emoji, skin tones, variation selectors
# Letters and marks that are printable by their category, and show nothing.
_FILLERS = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\uffa0\U000e0000-\U000e00ff]")

_SECRET = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|account|secret|private|user)[._-]?key|credentials?"
    r"|sig|signature)"
)
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&"'\])}]*[^\s&"'\])};,])"""
_NAMED = re.compile(
    rf"""((?:\b|[._-]|(?<=[a-z])(?=[A-Z])){_SECRET}(?:["']?\s*=\s*|["']\s*:\s*|:\s*got\s+)[\[(]*){_VALUE}""",
    re.IGNORECASE,
)
_HAS_NAMED = re.compile(rf"[?&;]\w*{_SECRET}=", re.IGNORECASE)
# A password may contain every character, so the last @ of the word ends it. Names of MLflow's models have an @ too.
_SCHEME = r"\b(?!(?:models|runs|file|sqlite):)[a-z][a-z0-9+.-]*:/+"
_ADDRESS = re.compile(rf"({_SCHEME})(\S*)@(\S*)", re.IGNORECASE)
_ADDRESS_WITH_BLANKS = re.compile(
    rf"""({_SCHEME})(?!{re.escape(HIDDEN)})[^\s/@:]*:(?!\d*(?:[/\s"'),;]|$))[^@\n]*@""", re.IGNORECASE
)
_WITHOUT_SCHEME = re.compile(r"(?<![\w/*])(?!(?:models|runs|file|sqlite):)[\w.+%~-]*:(?![/\s])\S*@(?=[\w\[])")
_KINDS = re.compile(
    r"\b(?:A[KS]IA[0-9A-Z]{12,}|(?:sk|hf|gh[opsu]|glpat|xox[abp])[-_][\w-]{16,}|eyJ[\w-]{8,}\.[\w.-]+)"
    r"|(?<=\bbearer )\S+|(?<=\bbasic )[A-Za-z0-9+/=]{8,}",
    re.IGNORECASE,
)
_SECRET_VARIABLE = re.compile(r"(?:PASS(?:WORD|WD|PHRASE)?|_PWD|SECRET|TOKEN|KEY|KEY_ID|CREDENTIALS?)$")


def print_line(line: str) -> None:
    """Prints one line of a result to standard output."""
    print(printable(line), flush=True)


def print_data(line: str) -> None:
    """Prints one line of data to standard output: unchanged to a pipe or a file, escaped to a terminal."""
    print(escape_controls(line) if sys.stdout.isatty() else line)


def print_message(line: str) -> None:
    """Prints one line about the work to standard error, because standard output is only for the result."""
    print(printable(line), file=sys.stderr, flush=True)


def print_error(error: BaseException) -> None:
    """Prints the lines of an error, after the word `error`."""
    first, *rest = [str(part) for part in error.args] or [""]
    print_message(f"error: {first}")
    for line in rest:
        print_message(line)


def printable(line: str) -> str:
    """Returns a line without secrets, with its control characters escaped."""
    return escape_controls(hide_secrets(line))


def hide_secrets(text: str) -> str:
    r"""Replaces passwords, tokens and keys by `***`, in addresses, in settings and as values of the environment.

    >>> hide_secrets("the registry at http://admin:p@ss/word@host:5000/a?token=abc is down")
    'the registry at http://***@host:5000/a?token=*** is down'
    >>> hide_secrets("models:/review_sentiment@champion, http://host:5000")
    'models:/review_sentiment@champion, http://host:5000'
    """
    for value in _environment_secrets():
        text = text.replace(value, HIDDEN)
    text = _ADDRESS.sub(_without_user, text)
    text = _ADDRESS_WITH_BLANKS.sub(rf"\1{HIDDEN}@", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _WITHOUT_SCHEME.sub(f"{HIDDEN}@", text)
    return _KINDS.sub(HIDDEN, text)


def _without_user(address: re.Match[str]) -> str:
    scheme, user, rest = address.groups()
    # The @ may belong to a password behind a question mark; then what follows it does too.
    return f"{scheme}{HIDDEN}" if _HAS_NAMED.search(user) else f"{scheme}{HIDDEN}@{rest}"


def _environment_secrets() -> list[str]:
    """Returns the values of variables that are named like secrets, the longest first."""
    values = {value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name.upper())}
    return sorted((value for value in values if len(value) >= _MIN_CHARS), key=len, reverse=True)


def escape_controls(text: str) -> str:
    r"""Replaces characters that a terminal executes or does not show by their escapes.

    These are controls such as ESC and newline, direction marks, zero-width characters and separators of lines.

    >>> escape_controls("好\x1b[31m\n\u202e")
    '好\\x1b[31m\\n\\u202e'
    """
    if text.isprintable() and not _FILLERS.search(text):
        return text
    previous = ""
    shown = []
    for char in text:
        shown.append(char if _is_shown(char, previous) else char.encode("unicode_escape").decode())
        previous = char
    return "".join(shown)


def _is_shown(char: str, previous: str) -> bool:
    if char == _ZERO_WIDTH_JOINER:  # joins emoji; between letters it is only hidden
        return bool(previous) and unicodedata.category(previous) in _EMOJI_PARTS
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") and not _FILLERS.match(char)


class ArgumentParser(argparse.ArgumentParser):
    """Parses a command line; its errors quote arguments, so they are printed as all other messages."""

    def error(self, message: str) -> NoReturn:
        """Prints the usage and the error, and ends the process with exit code 2."""
        super().error(printable(message))
