"""Repairs mojibake: text that was decoded with the wrong character set.

Two kinds occur in practice. UTF-8 read as Windows-1252 or Latin-1 (å¾ˆå¥½) is repaired by `ftfy`. UTF-8 read as GBK
(寰堝ソ) is not, so it is repaired here. Both repairs are slow, so a cheap check comes before each.
"""

import re

# Chinese UTF-8 starts with a byte of 0xE3-0xE9, Latin letters with 0xC2-0xC5, emoji with 0xF0. The next byte is
# one of 0x80-0xBF, which Windows-1252 shows as one of the marks of the second class.
_LATIN_HINT = re.compile(
    "[\u00c2-\u00c5\u00e2-\u00e9\u00ef\u00f0]"
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2026\u2030\u2039\u203a\u20ac\u2122]"
)

# The first two UTF-8 bytes of frequent characters, read as GBK: 锛=，！？ 銆=。、 鐨=的 涓=不上中 浜=了人 鏄=是 寰=很
# 鍙=可只 濂=好 鎴=我 杩=这还 娌=没 閿=锟 and so on. They are rare in real text. The strict decoding
# below decides whether a text is mojibake.
GBK_LEADS = "锛銆鐨涓浜鏄寰鍙濂鎴杩娌鍦鏈閿璐鍟鍝浠澶鎵缁瀹鐢鍚骞鍒"
_GBK_HINT = re.compile(f"[{GBK_LEADS}]")
_GBK_RUN = re.compile("[^\x00-\x7f]{3,}[?\ufffd]?")


def repair(text: str) -> str:
    """Repairs wrong decodings if the result is certain. Everything else is kept.

    >>> repair("å¾ˆå¥½ç”¨"), repair("寰堝ソ鐢"), repair("café crème")
    ('很好用', '很好', 'café crème')
    """
    if _LATIN_HINT.search(text):
        import ftfy

        text = ftfy.fix_encoding(text)
    if _GBK_HINT.search(text):
        text = _GBK_RUN.sub(_undo_gbk, text)
    return text


def _undo_gbk(run: re.Match[str]) -> str:
    original = run.group()
    wrong = original.rstrip("?\ufffd")
    try:
        raw = wrong.encode("gb18030")
    except UnicodeEncodeError:
        return original
    # GBK loses the last byte of an odd number of bytes. So the end may have up to two bytes of an incomplete character.
    # Anything else that is not UTF-8 means that the text is not mojibake.
    for cut in range(3):
        try:
            repaired = raw[: len(raw) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        # The GBK bytes of real Chinese can be valid UTF-8 by chance, but only in a very short text.
        return repaired if len(repaired) >= 2 and "\ufffd" not in repaired else original
    return original
