"""Replaces emoji and kaomoji by names that keep their sentiment: 😊 and (^_^) become [开心].

The names have the form of WeChat's and Weibo's emoticons, so a typed [微笑] and an emoji share one vocabulary. Each
name is one token for the tokeniser and has a score in the lexicon.

Source of the code points: Unicode 15.1, emoji-data. The grouping by sentiment is this project's own.
"""

import re

_BY_NAME = {
    "[开心]": "😀😃😄😁😆😊🙂☺😌😇🤗😸😺🥳😎🤠🌞",
    "[大笑]": "😂🤣😹",
    "[喜欢]": "😍🥰😻🤩😋😙😚😗🤤",
    "[飞吻]": "😘💋😽",
    "[爱心]": "❤♥💕💖💗💓💞💘💝💟💌🧡💛💚💙💜🤎🤍🩷🩵🖤❣🫶💑",
    "[赞]": "👍💪👌🤙🆒💯🏆🥇🎖🏅👑💎🌟⭐✨🔝🤝✌🤞🫰",
    "[鼓掌]": "👏🙌",
    "[感谢]": "🙏",
    "[庆祝]": "🎉🎊🎁🎈🎂🥂🍻🎆🎇🧧",
    "[鲜花]": "🌹🌸💐🌷🌺🌻🌼",
    "[调皮]": "😜😝😛🤪😏😈🙃😉",
    "[害羞]": "😳🙈🫣",
    "[尴尬]": "😅😓😥😰💦🫠",
    "[无语]": "😑😐😶🙄🤦🤷😒🤐🫥😮‍💨",
    "[惊讶]": "😮😲😯😱🤯😧😦🙀",
    "[疑问]": "🤔❓❔🧐😕⁉",
    "[难过]": "😞😔😟🙁☹😣😖😩😫😢🥺😿🥲",
    "[大哭]": "😭",
    "[心碎]": "💔",
    "[生气]": "😠😡🤬😤👿💢😾👊🖕",
    "[差评]": "👎",
    "[恶心]": "🤮🤢💩🤧",
    "[生病]": "😷🤒🤕",
    "[害怕]": "😨👻💀☠",
    "[困]": "😴😪🥱💤",
    "[吃瓜]": "🍉",
    "[正确]": "✅☑✔",
    "[错误]": "❌✖❎🚫⛔",
    "[警告]": "⚠❗❕‼🚨",
}
# The joiner in 😮‍💨 is removed before emoji are named. 💨 alone is an emoji without a sentiment.
NAMES = {character: name for name, group in _BY_NAME.items() for character in group if character not in "\u200d💨"}

OTHER = "[表情]"
"""The name of an emoji without a sentiment."""

# ASCII emoticons must be separate from other ASCII characters: 10:30, C:D and a_b are no emoticons. Chinese characters
# may be next to them.
_ALONE = r"(?<![A-Za-z0-9:;=_])"
_END = r"(?![A-Za-z0-9_])"
# 罩杯:D and 选项:P are choices. Only a blank, a mark or a word of mood comes before a laughing face.
_MOOD = r"(?<![^\W了啊呢哦呀啦吧哈嘻呵嘿噢嗯哒滴的棒赞好爱欢心意快美谢笑乐])"
_OPEN, _CLOSE = "[(（]", "[)）]"
# Cheeks, sweat and arms around a face.
_DECOR, _ARM = "[*〃✿｡。๑=・･|゜oO]{0,2}", "[ノﾉ✧و۶]{0,3}(?:(?<=[)）])o(?![A-Za-z]))?"


def _faces(eyes_and_mouths: str) -> str:
    return rf"(?:[ヽヾ٩]|(?<![A-Za-z])o)?{_OPEN} ?{_DECOR}(?:{eyes_and_mouths}){_DECOR};? ?{_CLOSE}{_ARM}"


# A face has brackets and eyes or a mouth of these. Other texts skip the patterns, which are slow.
_FACE_HINT = re.compile(r"[▽∇ωεᴗ‿Дಥ﹏︵︶︿◡∀ㅂ\^╥┬¯•]")
_HAPPY = re.compile(
    _faces(
        r"\^[▽∇oOωεv∀_\-.]\^|≧[▽∇◡ωoᴗ]≦|¯y?[▽∇︶ω‿ε3]¯|´ ?[▽∀ω・ε] ?`|•[ㅂωᴗ◡‿]•|[゜ﾟ°][▽∀ω][゜ﾟ°]|・[ω∀▽]・"
        r"|[⌒︶][▽∇︶‿ω_][⌒︶]|'[▽ω]'|[●◕]'[◡‿ω▽]'[●◕]|◕[‿◡ω︶]{1,2}◕|ᵔ[ᴗ◡‿]ᵔ|˘[▽◡ᴗ‿]˘"
    )
)
_SAD = re.compile(
    _faces(
        r"[╥┬ಥ][_﹏╭ωДo益︵]{1,2}[╥┬ಥ]|T[_^▽oO﹏︵ω]T|>﹏<|[;；][ω_][;；]|´;ω;`|╯[︵﹏]╰|•︿•|[⌒︶¯]︿[⌒︶¯]|;´[д︵]`"
    )
)
_KAOMOJI_BY_NAME = {
    "[开心]": (
        rf"\(?[*oO]?\^[_\-.oO ]?\^[*oO]?\)?|\(?\*\^[_\-]\^\*\)?|\(?≧[▽∇◡ω]≦\)?|\(?[◕●][‿ω◡︶][◕●]\)?"
        rf"|\(?o?\(?∩[_.]∩\)?o?\)?"
        rf"|\(?n_n\)|\(?\*?¯[︶‿]¯\*?\)?|\(?[⌒︶][‿▽_ω.][⌒︶]\)?|{_ALONE}[:=]-?(?P<smile>\)+){_END}|{_ALONE}(?::-|{_MOOD}:)D(?!\w)"
    ),
    "[调皮]": rf"{_ALONE};-?(?P<wink>\)+){_END}|{_ALONE}(?:[:;]-|{_MOOD}[:;])[Pp](?!\w)|\( ?° ?ʖ ?°\)",
    "[难过]": (
        rf"{_ALONE}:-?(?P<frown>\(+){_END}|{_ALONE}:'\(|\(?[╥┬][_﹏╭][╥┬]\)?|{_ALONE}\(?[TQ]_+[TQ]\)?{_END}|{_ALONE};_;{_END}"
    ),
    "[生气]": r"\(?╯[°﹏□‵]\s?[□﹏′]?[°)）]{0,2}╯\)?(?:︵?\s?┻━┻)?|\(?>[_.]<\)?#?|\(?`へ´\)?|\(?¬_¬\)?",
    "[无语]": r"\(?=_=\)?[|b!]*|\(?-_-\)?[|b!]*|\(?⊙[_.﹏]⊙\)?|╮\(╯[_▽]╰\)╭|\(?→_→\)?|¯\\_\([ツシ]\)_/¯",
    "[爱心]": r"(?<=[^\W\d] )<3+(?= *(?:$|[\n!！]))",  # at the end of a line, because <3 cm is a size
    "[惊讶]": rf"\(?⊙[oO]⊙\)?|{_ALONE}\(?[Oo0]_[Oo0]\)?{_END}",
}
_KAOMOJI_GROUPS = [(name, f"k{index}") for index, name in enumerate(_KAOMOJI_BY_NAME)]
_KAOMOJI = re.compile("|".join(f"(?P<{group}>{_KAOMOJI_BY_NAME[name]})" for name, group in _KAOMOJI_GROUPS))
_BRACKETED = 60  # characters between the brackets of a text
_CLOSING_BRACKET = re.compile("[()（）\\n]")

# Pictographs, dingbats, symbols, flags and keycaps. The second line has older symbols that became emoji.
_EMOJI_CLASS = (
    "\U0001f000-\U0001faff\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55\u2b1b\u2b1c\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa"
    "\u203c\u2049\u3030\u303d\u3297\u3299\u2934\u2935"
)
# ★☆ are rating marks in reviews (服务★★★), never emoji. ☎ and ✆ come before phone numbers.
_KEPT = "★☆☎✆①-⑳❶-➓"
_EMOJI = re.compile(f"[{_EMOJI_CLASS}](?<![{_KEPT}])")  # the class comes first, because a search for it is fast
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]{1,2}")
_HINTS = r"\^_:;=∩≧◕●⌒︶╥┬╯⊙→¬¯>`ʖ<"
_KAOMOJI_HINT = re.compile(rf"[{_HINTS}]" "(?:(?<![:;=<])|(?<=[:;=])[-'()DPp_]|(?<=<)3)")
HINT = re.compile(rf"[{_EMOJI_CLASS}{_HINTS}\u20e3▽∇ωᴗ‿Дಥ﹏◡∀•]")
"""Matches characters of emoji and kaomoji. A text without a match needs no replacement."""
# Keycaps are digits in a number. A single one numbers a list, like ①, but not before a measure word: 5️⃣星.
_KEYCAPS = re.compile("(?:[0-9#*]\u20e3)+")
_MEASURES = "星分个件天元次块年月日号折只条双套盒瓶斤度万千百%.0123456789"
_CIRCLED = "⓪①②③④⑤⑥⑦⑧⑨"
# Stars in a rating with empty ones are marks: ⭐⭐⭐☆☆ becomes ★★★☆☆.
_RATING = re.compile("[⭐🌟]+(?=☆)")


def replace(text: str, mode: str) -> tuple[str, int]:
    """Replaces the emoji and kaomoji of a text by names, or drops them.

    Args:
        text: Text without joiners and variation selectors.
        mode: `name` or `drop`. A dropped emoji becomes a space, so that words are not joined.

    Returns:
        The text, and the number of replacements.

    >>> replace("太棒了👍🏻(^_^)", "name")
    ('太棒了[赞][开心]', 2)
    >>> replace("物流🚚快", "name"), replace("物流🚚快", "drop")
    (('物流[表情]快', 1), ('物流 快', 1))
    """
    count = 0
    if ("(" in text or "（" in text) and (_FACE_HINT.search(text) or "ToT" in text):
        text, happy = _HAPPY.subn("[开心]" if mode == "name" else " ", text)
        text, sad = _SAD.subn("[难过]" if mode == "name" else " ", text)
        count = happy + sad
    if _KAOMOJI_HINT.search(text):
        text, others = _without_kaomoji(text, mode)
        count += others
    if not text.isascii():
        if "\u20e3" in text:
            text, keycaps = _KEYCAPS.subn(_digits, text)
            count += keycaps
        if "☆" in text:
            text = _RATING.sub(lambda stars: "★" * len(stars[0]), text)
        text = _MODIFIER.sub(_flag, text)
        text, emoji = _EMOJI.subn(_emoji_name if mode == "name" else " ", text)
        count += emoji
    return text, count


def _without_kaomoji(text: str, mode: str) -> tuple[str, int]:
    """Replaces kaomoji, but not the brackets of a text: 颜色:(红), (见下:)."""
    count = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal count
        face = match[0]
        if match["frown"]:
            closing = _CLOSING_BRACKET.search(text, match.end(), match.end() + _BRACKETED)
            if closing and closing[0] in ")）":
                return face
        elif match["smile"] or match["wink"]:
            before = text[max(0, match.start() - _BRACKETED) : match.start()]
            if len(match["smile"] or match["wink"]) == 1 and max(map(before.rfind, "(（")) > max(
                map(before.rfind, ")）")
            ):
                return face
        count += 1
        if mode != "name":
            return " "
        return next(name for name, group in _KAOMOJI_GROUPS if match[group])

    return _KAOMOJI.sub(replacement, text), count


def _digits(keycaps: re.Match[str]) -> str:
    digits = keycaps[0].replace("\u20e3", "")
    following = keycaps.string[keycaps.end() : keycaps.end() + 1]
    if len(digits) == 1 and digits.isdigit() and following and following not in _MEASURES:
        before = keycaps.string[keycaps.start() - 1 : keycaps.start()]
        if not before.isdigit():
            return _CIRCLED[int(digits)]
    return digits


def _emoji_name(match: re.Match[str]) -> str:
    return NAMES.get(match[0], OTHER)


def _flag(match: re.Match[str]) -> str:
    # Skin tones are removed. A flag is two regional letters and becomes one emoji.
    return "\U0001f3f4" if match[0][0] >= "\U0001f1e6" and match[0][0] <= "\U0001f1ff" else ""
