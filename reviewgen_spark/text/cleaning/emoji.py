"""Emoji and kaomoji, and the names that carry their sentiment: 😊 and (^_^) become [开心].

The names are written the way WeChat and Weibo write their own emoticons, so that a typed [微笑] and an emoji meet in
one vocabulary. Each name is one token for the tokeniser and has a score in the lexicon.
Source of the code points: Unicode 15.1, emoji-data; the grouping by sentiment is ours.
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
# The joiner in 😮‍💨 is gone before names are given, and 💨 alone is an ordinary emoji.
NAMES = {character: name for name, group in _BY_NAME.items() for character in group if character not in "\u200d💨"}

OTHER = "[表情]"
"""What an emoji without a sentiment of its own becomes."""

# Emoticons of ASCII characters must stand alone among ASCII: 10:30, C:D and a_b are none; Chinese may touch them.
_ALONE = r"(?<![A-Za-z0-9:;=_])"
_END = r"(?![A-Za-z0-9_])"
_KAOMOJI_BY_NAME = {
    "[开心]": (
        rf"\(?[*oO]?\^[_\-.oO ]?\^[*oO]?\)?|\(?\*\^[_\-]\^\*\)?|\(?≧[▽∇◡ω]≦\)?|\(?[◕●][‿ω◡︶][◕●]\)?"
        rf"|\(?o?\(?∩[_.]∩\)?o?\)?"
        rf"|\(?n_n\)|\(?\*?¯[︶‿]¯\*?\)?|\(?[⌒︶][‿▽_︿ω.][⌒︶]\)?|{_ALONE}[:=]-?\)+{_END}|{_ALONE}:-?D(?!\w)"
    ),
    "[调皮]": rf"{_ALONE};-?\)+{_END}|{_ALONE}[:;]-?[Pp](?!\w)",
    "[难过]": (
        rf"{_ALONE}:-?\(+{_END}|{_ALONE}:'\(|\(?[╥┬][_﹏╭][╥┬]\)?|{_ALONE}\(?[TQ]_+[TQ]\)?{_END}|{_ALONE};_;{_END}"
    ),
    "[生气]": r"\(?╯[°﹏□‵]\s?[□﹏′]?[°)]?╯\)?(?:︵?\s?┻━┻)?|\(?>[_.]<\)?#?|\(?`へ´\)?|\(?¬_¬\)?",
    "[无语]": r"\(?=_=\)?[|b!]*|\(?-_-\)?[|b!]*|\(?⊙[_.﹏]⊙\)?|╮\(╯[_▽]╰\)╭|\(?→_→\)?|¯\\_\([ツシ]\)_/¯",
    "[惊讶]": rf"{_ALONE}\(?[Oo0]_[Oo0]\)?{_END}",
}
_KAOMOJI_NAMES = list(_KAOMOJI_BY_NAME)
_KAOMOJI = re.compile("|".join(f"({pattern})" for pattern in _KAOMOJI_BY_NAME.values()))

# Pictographs, dingbats, symbols, flags and keycaps; the second part are the older symbols that Unicode made emoji.
_EMOJI_CLASS = (
    "\U0001f000-\U0001faff\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55\u2b1b\u2b1c\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa"
    "\u203c\u2049\u3030\u303d\u3297\u3299\u2934\u2935"
)
# ★☆ are rating marks in reviews (服务★★★), never emoji; ☎ and ✆ introduce phone numbers.
_KEPT = "★☆☎✆①-⑳"
_EMOJI = re.compile(f"[{_EMOJI_CLASS}](?<![{_KEPT}])")  # the class first: it is what is looked for
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]{1,2}")
_KAOMOJI_HINT = re.compile(r"[\^_:;=∩≧◕●⌒︶╥┬╯⊙→¬¯>`]" "(?:(?<![:;=])|(?<=[:;=])[-'()DPp])")
HINT = re.compile(rf"[{_EMOJI_CLASS}\^_:;=∩≧◕●⌒︶╥┬╯⊙→¬¯>`]")
"""A character that some emoji or kaomoji has; text without one is done."""


def replace(text: str, mode: str) -> tuple[str, int]:
    """Name the emoji and kaomoji of a text, or drop them.

    Args:
        text: text without joiners and variation selectors.
        mode: `name` or `drop`; a dropped emoji leaves a space, so that words do not grow together.

    Returns:
        The text, and how many were replaced.

    >>> replace("太棒了👍🏻(^_^)", "name")
    ('太棒了[赞][开心]', 2)
    >>> replace("物流🚚快", "name"), replace("物流🚚快", "drop")
    (('物流[表情]快', 1), ('物流 快', 1))
    """
    count = 0
    if _KAOMOJI_HINT.search(text):
        text, count = _KAOMOJI.subn(_kaomoji_name if mode == "name" else " ", text)
    if not text.isascii():
        text = _MODIFIER.sub(_flag, text)
        text, emoji = _EMOJI.subn(_emoji_name if mode == "name" else " ", text)
        count += emoji
    return text, count


def _kaomoji_name(match: re.Match[str]) -> str:
    return _KAOMOJI_NAMES[(match.lastindex or 1) - 1]


def _emoji_name(match: re.Match[str]) -> str:
    return NAMES.get(match[0], OTHER)


def _flag(match: re.Match[str]) -> str:
    # Skin tones vanish; a flag is two regional letters and stays one emoji.
    return "\U0001f3f4" if match[0][0] >= "\U0001f1e6" and match[0][0] <= "\U0001f1ff" else ""
