"""Splits Chinese and English reviews into sentences and clauses, by punctuation marks."""

import re

# Matches the end of a sentence: a run of closing marks, with the quotes and brackets after it. An English full stop
# ends a sentence before a space. Reviews often omit the space. So it also ends one after Chinese, or between a small
# letter and a capital letter (on her.I love it).
_END = re.compile(
    r"[。！？!?…]+[。！？!?….~～]*[\"'”’」』）)\]]*[.。]*\s*"
    r"|(?<!\be\.g)(?<!\bi\.e)(?<!\b[A-Za-z])(?<!\b(?:Mr|Dr|vs))\.+[\"'”’)\]]*(?:\s+|$)"
    r"|(?<=[a-z]{2})\.(?=[A-Z])"
    r"|(?<=[\u3400-\u9fff])\.+(?![0-9A-Za-z])\s*"
    r"|\.{3,}\s*"
    r"|\s*[\n\r\u2028\u2029]+\s*"
)
_CLAUSE_END = re.compile(r"[,，;；、:：]+\s*|\s+(?:but|however|although|though)\s+|(?=但是|但|不过|可是|就是)")
_LONG = 40  # characters; a longer Chinese sentence is split at its commas
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"\w")
_COMMA = re.compile(r"[，,；;]+\s*")


def cut_sentences(text: str) -> list[str]:
    """Returns the sentences of a text in order. They are stripped, never empty, and exact substrings of the text.

    Chinese reviews often use commas only. A Chinese sentence of more than 40 characters is split at commas, so that a
    part can be quoted. A part has at least about 20 characters, the last one about 10.

    >>> cut_sentences("房间很大！服务也好。隔音不行")
    ['房间很大！', '服务也好。', '隔音不行']
    >>> cut_sentences("Looks great on her.I paid 3.5 dollars... No regrets :)")
    ['Looks great on her.', 'I paid 3.5 dollars...', 'No regrets :)']
    """
    sentences: list[str] = []
    for part in _split_after(text, _END):
        sentences += _cut_long(part) if len(part) > _LONG and len(_HAN.findall(part)) * 2 > len(part) else [part]
    return sentences


def cut_clauses(sentence: str) -> list[str]:
    """Returns the clauses of a sentence, because different clauses often have opinions on different things.

    >>> cut_clauses("屏幕不错，但电池太差"), cut_clauses("great screen but poor battery")
    (['屏幕不错，', '但电池太差'], ['great screen but', 'poor battery'])
    """
    return _split_after(sentence, _CLAUSE_END)


def _split_after(text: str, end: re.Pattern[str]) -> list[str]:
    """Splits a text after each match of `end`. Marks without a word, such as :), are added to the part before them."""
    starts = [0]
    for match in end.finditer(text):
        if _WORD.search(text, starts[-1], match.end()) and _WORD.search(text, match.end()):
            starts.append(match.end())
    parts = [text[start:stop].strip() for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [part for part in parts if part]


def _cut_long(sentence: str) -> list[str]:
    parts, start = [], 0
    for match in _COMMA.finditer(sentence):
        if match.end() - start >= _LONG // 2 and len(sentence) - match.end() >= _LONG // 4:
            parts.append(sentence[start : match.end()].strip())
            start = match.end()
    return [*parts, sentence[start:].strip()]
