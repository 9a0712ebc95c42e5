"""Recognises traditional Chinese and Japanese, and converts traditional Chinese to simplified.

Most traditional characters are absent from simplified text. A few are in both: 後, 於, 乾 and 著 are simplified
characters too, in names or in single words (乾隆, 著名). OpenCC's phrases decide on them. 著 is decided here.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from reviewgen_spark.text.cleaning import characters

_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
# Particles, which Chinese writers do not use as decoration. の is decoration, so it is not here.
_PARTICLE_KANA = re.compile("[がはをにでともへいくたすなまけるれしらりて]")
_HAN = re.compile(f"[{characters.HAN}]")
# Frequent Chinese words that Japanese does not write with these characters.
_CHINESE_WORD = re.compile(
    "[我你您妳他她它们們这這那哪很吗嗎呢吧啊呀哦啦嘛没沒给給说說个個买買还還就也跟把被让讓]|不錯|喜歡|東西"
)

# 乾 is in simplified names (乾隆, 孙乾承), so only its frequent words count. 著 has rules of its own, see _ZHU.
_SHARED_WORDS = (
    f"[{characters.SHARED.translate({ord(char): None for char in '乾覆著'})}]"
    "|[回答重]覆|乾[净淨脆燥爽枯洗货貨粮糧杯硬瘪癟果巴嘛吗嗎什等]|[饼餅烘晾晒曬擦吹风風肉萄豆]乾"
)
_SHARED_SEARCH = re.compile(_SHARED_WORDS)

_KEPT_BY_OPENCC = (("甚么", "什么"), ("回覆", "回复"), ("答覆", "答复"), ("复盖", "覆盖"))

# A verb before 著 makes it a particle, also before a book title and at the end of brackets.
_VERBS = "看读念听抱拿翻捧写想等用穿戴放带跟吃站坐睡开关挂留试玩盯守陪抢催急忙躺蹲跑走忍受伴存住撑熬绕爱求趁顺沿随冲对"
_NAME = r"[\u4e00-\u9fff·]"
_ZHU = re.compile(
    # An author: （金庸著）, 《母亲》高尔基著, 高尔基 著, 鲁迅著《呐喊》
    rf"[（(【\[]{_NAME}{{2,8}}(?<![{_VERBS}])著(?=[)）】\]])"
    rf"|[》)）\]】：:][ ，,]?{_NAME}{{2,8}}(?<![{_VERBS}])著(?=$|[\s，。；、,.;])"
    rf"|[是由]{_NAME}{{2,3}}(?<![{_VERBS}])著(?=$|[\s，。；、,.;])"
    rf"|(?<![^\s）)\]】])著(?=$|[\s，。；、,.;：:《])"
    rf"|(?<=[^{_VERBS}\W])著(?=的?《)"
    # A word that is written with 著
    r"|著[名作称书者述录有]"
    r"|(?<![配结混迎闭契贴符组整愈])合著|(?<![讨谈议争评辩])论著|(?<!翻)译著|(?<![放睁瞪张])大著(?![胆肚眼嗓声嘴])"
    r"|[显专名土原编遗巨拙新旧昭卓]著"
    r"|(?P<particle>著)"
)


def has_traditional(text: str) -> bool:
    """Checks whether a text has a character that may be traditional Chinese.

    >>> has_traditional("這個"), has_traditional("之後"), has_traditional("后来")
    (True, True, False)
    """
    if text.isascii() or not _any_mark().search(text):
        return False
    return _traditional().search(text) is not None or _particles(text) > 0


def script_marks(text: str) -> list[str]:
    """Returns the characters that may show traditional Chinese or Japanese. One fast search finds both.

    >>> script_marks("這個の満足")
    ['這', '個', '満']
    """
    return _any_mark().findall(text)


def has_japanese_form(text: str) -> bool:
    """Checks whether a text has a form that only Japanese has since 1946.

    >>> has_japanese_form("満足"), has_japanese_form("滿足")
    (True, False)
    """
    return _japanese_form().search(text) is not None


def shared_traditional(text: str) -> int:
    """Counts the characters that both scripts have and that are traditional in this text.

    >>> shared_traditional("之後看著不錯"), shared_traditional("乾隆年间的名著")
    (2, 0)
    """
    if "著" not in text and not _SHARED_SEARCH.search(text):
        return 0
    if not _traditional().search(text):
        return _particles(text)  # no character around 著 would be converted
    text = text.encode("utf-8", "replace").decode()  # OpenCC refuses surrogates
    simplified = simplify_chinese(text)
    return sum(a != b and a in characters.SHARED for a, b in zip(text, simplified, strict=False))


def is_japanese(text: str) -> bool:
    """Checks whether a text is Japanese, whose characters must not be simplified.

    Japanese has about as much kana as Han. A short text may have one particle or only new Japanese forms (満, 気).
    A single の is decoration in Chinese.

    >>> is_japanese("質感が良い"), is_japanese("商品は良品質保証"), is_japanese("日本の味道很好")
    (True, True, False)
    """
    kana = len(_KANA.findall(text))
    if not kana and not has_japanese_form(text):
        return False
    han = len(_HAN.findall(text))
    if kana * 4 > han + kana and (kana > 1 or han < 2):
        return True
    if kana and not _PARTICLE_KANA.search(text):
        return False
    if not kana and len(_japanese_form().findall(text)) < 2 and has_traditional(text):
        return False
    return not _CHINESE_WORD.search(text) and not _simplified().search(text)


def simplify_chinese(text: str) -> str:
    """Converts traditional to simplified Chinese by OpenCC's phrases and characters.

    OpenCC always keeps 著, because it is correct in 著名. After a verb it must become 着.

    >>> simplify_chinese("臺灣著名的頭髮，後來看著乾淨"), simplify_chinese("這本書 高爾基 著")
    ('台湾著名的头发，后来看着干净', '这本书 高尔基 著')
    """
    converted: str = _opencc()(text)
    for kept, usual in _KEPT_BY_OPENCC:
        if kept in converted:
            converted = converted.replace(kept, usual)
    return _ZHU.sub(_zhe, converted) if "著" in converted else converted


def _particles(text: str) -> int:
    """Counts the 著 that are written for the particle 着."""
    return sum(match["particle"] is not None for match in _ZHU.finditer(text)) if "著" in text else 0


def _zhe(match: re.Match[str]) -> str:
    return "着" if match["particle"] else match[0]


@lru_cache(maxsize=1)
def _opencc() -> Callable[[str], str]:
    import opencc

    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


@lru_cache(maxsize=1)
def _any_mark() -> re.Pattern[str]:
    marks = characters.traditional_only() | characters.japanese_only() | set(characters.SHARED)
    return re.compile(f"[{characters.character_class(marks)}]")


@lru_cache(maxsize=1)
def _traditional() -> re.Pattern[str]:
    return re.compile(f"[{characters.character_class(characters.traditional_only())}]|{_SHARED_WORDS}")


@lru_cache(maxsize=1)
def _simplified() -> re.Pattern[str]:
    return re.compile(f"[{characters.character_class(characters.simplified_only() - characters.japanese_only())}]")


@lru_cache(maxsize=1)
def _japanese_form() -> re.Pattern[str]:
    return re.compile(f"[{characters.character_class(characters.japanese_only())}]")
