"""Undoes the escapes of JSON, HTML, CSV and URLs in bytes, so that one form of a value matches all spellings of it."""

import html
import re

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?:u[0-9a-fA-F]{4}|[\"'\\/bfnrt])"
    rb"|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d{0,2});|\"{2,}|'{2,}|%[0-9a-fA-F]{2}|\r\n?"
)
_ROUNDS = 4  # such as JSON within JSON within CSV
_LETTERS = {ord("b"): b"\b", ord("f"): b"\f", ord("n"): b"\n", ord("r"): b"\n", ord("t"): b"\t"}


def unescaped(content: bytes) -> bytes:
    r"""Returns bytes without escapes. Doubled quotes become one, and every end of a line becomes `\n`.

    >>> unescaped(b'He said \\"ok\\" &amp; &#39;left&#39;'), unescaped(b'He said ""ok"" & \'left\'')
    (b'He said "ok" & \'left\'', b'He said "ok" & \'left\'')
    """
    for _ in range(_ROUNDS):
        content, count = _ESCAPE.subn(_plain, content)
        if not count:
            break
    return content


def _plain(escape: re.Match[bytes]) -> bytes:
    text = escape[0]
    if text[:2] == b"\\u":
        units = bytes.fromhex(text.replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    if text[:1] == b"\\":
        return _LETTERS.get(text[1], text[1:])
    if text[:1] == b"&":
        return html.unescape(text.decode()).encode("utf-8", "surrogatepass")
    if text[:1] == b"%":
        return bytes([int(text[1:], 16)])
    return b"\n" if text[:1] == b"\r" else text[:1]
