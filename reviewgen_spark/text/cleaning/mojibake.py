"""Repairs mojibake: text that was decoded with the wrong character set.

UTF-8 read as Windows-1252 or Latin-1 (å¾ˆå¥½) is repaired by `ftfy`. UTF-8 read as GBK (寰堝ソ) and GBK read as
Latin-1 (ºÜºÃ) are not, so they are repaired here. The repairs are slow, so a cheap check comes before each.

A text that lost bytes in its middle cannot be repaired. `is_garbled` detects it, and no other rule changes it.
"""

import re

# Chinese UTF-8 starts with a byte of 0xE3-0xE9, Latin letters with 0xC2-0xC5, emoji with 0xF0. The next byte is
# one of 0x80-0xBF, which Windows-1252 shows as one of the marks of the second class.
_LATIN_HINT = re.compile(
    "[\u00c2-\u00c5\u00e2-\u00e9\u00ef\u00f0]"
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2026\u2030\u2039\u203a\u20ac\u2122]"
)

# The first two UTF-8 bytes of Chinese characters and marks, read as GBK: 锛=，！？ 銆=。、 鐨=的 涓=不上中
# and so on. They are rare in real text. The strict decoding below decides whether a text is mojibake.
_FREQUENT = "瑕浏榻瑜娓瑾宕榄楂姊浒妞"  # in real reviews, so they are no hint
GBK_LEADS = "锛銆锟鈥" + "".join(
    character
    for lead in range(0xE4, 0xEA)
    for trail in range(0x80, 0xC0)
    if (character := bytes([lead, trail]).decode("gbk", "ignore"))
    not in "瑕浏榻瑜娓瑾宕榄楂姊浒妞"  # frequent in reviews
)
_GBK_HINT = re.compile(f"[{GBK_LEADS}]")
_GBK_RUN = re.compile("[^\x00-\x7f]{3,}[?]{0,2}(?=(?P<more>[^\x00-\x7f])?)")
_NOT_ASCII = re.compile("[^\x00-\x7f\ufffd]{2,}")
# The bytes of Chinese characters and marks in UTF-8. The last byte may be lost.
_UTF8_CHINESE = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{1,2}|\xef\xbc[\x80-\xbf]?|\xe2\x80[\x80-\xbf]?")

# GBK read as Latin-1. Both bytes of a character of GB 2312 are 0xA1-0xFE.
_LATIN1_PAIR = re.compile("[\u00b0-\u00d7][\u00a1-\u00fe]")
_LATIN1_RUN = re.compile("[\u00a1-\u00ff]+")
# No language writes a symbol among letters, or a capital letter after a small one.
_LATIN1_ODD = re.compile(
    "[\u00c0-\u00ff][\u00a1-\u00bf\u00d7]|[\u00a1-\u00bf\u00d7][\u00c0-\u00ff]|[\u00df-\u00ff][\u00c0-\u00de]"
)
_UTF8_LETTERS = re.compile(rb"(?:[\xc2\xc3][\x80-\xbf])+")
_BIG5_LEVEL_1 = range(0xA4, 0xC7)
_LEVEL_1 = range(0xB0, 0xD8)  # first bytes of the 3,755 frequent characters of GB 2312

# The replacement character in UTF-8, read as GBK. A text may also speak of it (全是锟斤拷); there it is kept.
_LOST = re.compile("(?<![是示成现叫出“\"‘'「『《【锟斤拷])(?:锟斤拷)+(?:锟斤?)?")


def repair(text: str) -> str:
    """Repairs wrong decodings if the result is certain. Everything else is kept.

    >>> repair("å¾ˆå¥½ç”¨"), repair("寰堝ソ鐢"), repair("café crème")
    ('很好用', '很好', 'café crème')
    """
    if _LATIN1_PAIR.search(text):
        text = _undo_latin1(text)  # before ftfy, which would repair a part of it to Greek letters
    if _LATIN_HINT.search(text):
        import ftfy

        text = ftfy.fix_encoding(text)
    if _GBK_HINT.search(text):
        text = _undo_gbk(text)
        if "锟斤拷" in text:
            text = _LOST.sub("", text)
    return text


def is_garbled(text: str) -> bool:
    """Checks whether a text is still mojibake after `repair`: most of it is UTF-8 read as GBK, or it has 锟斤拷.

    >>> is_garbled("鐢ㄤ簡涓�涓�鏈堝氨鍧忎簡"), is_garbled("全是锟斤拷"), is_garbled("涓鐨美")
    (True, True, False)
    """
    if not _GBK_HINT.search(text):
        return False
    if "锟斤拷" in text:
        return True
    return _is_mostly_utf8(text, 3)


def _undo_latin1(text: str) -> str:
    runs = _LATIN1_RUN.findall(text)
    joined = "".join(runs)
    odd = [run for run in runs if len(run) % 2]
    if len(joined) < 4 or len(set(joined)) < 3 or len(odd) > 1 or (odd and not text.endswith(odd[0])):
        return text
    characters = joined.encode("latin-1")
    if _UTF8_LETTERS.fullmatch(characters):
        return text  # UTF-8 of Latin letters, read as Latin-1: naÃ¯ve cafÃ©
    leads = [lead for lead in characters[: len(characters) // 2 * 2 : 2] if lead > 0xA3]  # without marks
    frequent = sum(lead in _LEVEL_1 for lead in leads)
    if frequent < 2 or frequent < 0.75 * len(leads) or not _LATIN1_ODD.search(joined):
        return text
    try:
        return _LATIN1_RUN.sub(lambda run: run[0][: len(run[0]) // 2 * 2].encode("latin-1").decode("gb2312"), text)
    except UnicodeDecodeError:
        return text


def _undo_gbk(text: str) -> str:
    """Repairs every run of a text, or none: a half repaired text would hide that bytes are lost."""
    is_lost = False
    end = 0  # of the last repaired run
    rest = ""

    def repaired(run: re.Match[str]) -> str:
        nonlocal is_lost, end, rest
        before = run.string[max(0, run.start() - 2) : run.start()]
        if len(before) == 2 and before[1] == "?" and not before[0].isascii() and run.start() != end:
            is_lost = True  # a byte before this run is lost
        decoded = _decoded_gbk(run[0], at_end=not run["more"])
        if decoded is None:
            is_lost = is_lost or _is_mostly_utf8(run[0], 2)
            return run[0]
        rest += run.string[end : run.start()]
        end = run.end()
        return decoded

    result = _GBK_RUN.sub(repaired, text)
    # A run of two characters is too short to decode, but it belongs to the others.
    return text if is_lost or _GBK_HINT.search(rest + text[end:]) else result


def _decoded_gbk(run: str, at_end: bool) -> str | None:
    wrong = run.rstrip("?\ufffd")
    mark = run[len(wrong) :]
    try:
        raw = wrong.encode("gb18030")
    except UnicodeEncodeError:
        return None
    # GBK loses the last byte of an odd number of bytes. So the end may have up to two bytes of an incomplete character.
    # Anything else that is not UTF-8 means that the text is not mojibake.
    for cut in range(3 if at_end else 1):
        try:
            decoded = raw[: len(raw) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        # The GBK bytes of real Chinese can be valid UTF-8 by chance, but then its characters are rare.
        if len(decoded) < 2 or "\ufffd" in decoded or not _is_usual(decoded):
            return None
        return decoded if at_end else decoded + mark
    return None


def _is_usual(text: str) -> bool:
    """Checks that most Han characters of a text are frequent and that no letters of other scripts are among them."""
    han = [character for character in text if "\u4e00" <= character <= "\u9fff"]
    frequent = 0
    for character in han:
        simplified, big5 = character.encode("gb2312", "ignore"), character.encode("big5", "ignore")
        frequent += (simplified != b"" and simplified[0] in _LEVEL_1) or (big5 != b"" and big5[0] in _BIG5_LEVEL_1)
    others = sum(character.isalpha() for character in text) - len(han)
    return frequent >= 0.7 * len(han) and others <= 0.2 * len(han)


def _is_mostly_utf8(text: str, least: int) -> bool:
    raw = "".join(_NOT_ASCII.findall(text)).encode("gb18030", "ignore")
    chinese = _UTF8_CHINESE.findall(raw)
    return len(chinese) >= least and sum(map(len, chinese)) >= 0.8 * len(raw)
