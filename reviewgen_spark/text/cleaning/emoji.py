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

# Pictographs, dingbats, symbols, flags and keycaps. The second line has older symbols that became emoji.
_EMOJI_CLASS = (
    "\U0001f000-\U0001faff\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55\u2b1b\u2b1c\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa"
    "\u203c\u2049\u3030\u303d\u3297\u3299\u2934\u2935"
)
# ★☆ are rating marks in reviews (服务★★★), never emoji. ☎ and ✆ come before phone numbers.
_KEPT = "★☆☎✆①-⑳❶-➓"
_EMOJI = re.compile(f"[{_EMOJI_CLASS}](?<![{_KEPT}])")  # the class comes first, because a search for it is fast
_MODIFIER = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]{1,2}")
_KAOMOJI_HINT = re.compile(r"[\^_:;=∩≧◕●⌒︶╥┬╯⊙→¬¯>`]" "(?:(?<![:;=])|(?<=[:;=])[-'()DPp])")
HINT = re.compile(rf"[{_EMOJI_CLASS}\^_:;=∩≧◕●⌒︶╥┬╯⊙→¬¯>`]")
"""Matches characters of emoji and kaomoji. A text without a match needs no replacement."""


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
    # Skin tones are removed. A flag is two regional letters and becomes one emoji.
    return "\U0001f3f4" if match[0][0] >= "\U0001f1e6" and match[0][0] <= "\U0001f1ff" else ""
