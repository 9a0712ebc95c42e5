"""Splits Chinese and English reviews into sentences and clauses, by punctuation marks and line breaks.

The time of each function is proportional to the length of the text, also for runs of blanks, stops or brackets.
"""

import re

from reviewgen_spark.text.words.word_lists import word_set

# Matches the end of a sentence: a run of closing marks, with the quotes and brackets after it. An English full stop
# ends a sentence before a space. Reviews often omit the space. So it also ends one after Chinese, or between a small
# letter and a capital letter (on her.I love it).
_END = re.compile(
    r"[。！？!?…]+[。！？!?….~～]*[\"'”’」』）)\]】]*[.。]*\s*"
    r"|(?<!\be\.g)(?<!\bi\.e)(?<!\b[A-Za-z])\.+[\"'”’)\]]*(?:\s+|$)"
    r"|(?<=[a-z]{2})\.(?=[A-Z])"
    r"|(?<=[\u3400-\u9fff])\.+(?![0-9A-Za-z])\s*"
    r"|\.{3,}\s*"
    r"|[\n\r\u2028\u2029]\s*"
)
_BREAKS = frozenset("\n\r\u2028\u2029")
# A blank between two Chinese words often replaces a comma. A blank before a short label (Screen: …) ends the clause.
_HANS = "\u3400-\u9fff"
_CLAUSE_END = re.compile(
    r"[,，;；、:：。！？!?…]+\s*|(?<!\s)\s+(?:but|however|although|though)\s+|(?=但是|但|不过|可是|就是|【)|[\n\r\u2028\u2029]\s*"
    rf"|(?<=[{_HANS}])[^\S\n\r\u2028\u2029]+(?=[{_HANS}])"
    rf"|(?<!\s)\s+(?=(?:[A-Z][a-z]{{1,11}} )?[{_HANS}A-Za-z0-9/]{{1,12}}[:：](?![/0-9]))"
)
_LONG = 40  # characters; a longer Chinese sentence is split at its commas
_HAN = re.compile(rf"[{_HANS}]")
_WORD = re.compile(r"\w")
_COMMA = re.compile(r"[，,；;]+\s*")

# Abbreviations whose full stop ends no sentence: always, before a number, or before a number or a small letter.
_TITLES = word_set("mr mrs ms messrs dr prof vs mt hon capt sgt lt gen rev gov sen rep mme mlle dept")
_BEFORE_NUMBER = word_set(
    "no nos nr vol fig figs pp ch chap ver art approx ca jan feb mar apr jun jul aug sep sept oct nov dec rs tel"
)
_BEFORE_SMALL = word_set(
    "st ave blvd rd jr sr inc ltd co corp bros etc approx est min max avg oz lb lbs ft hr hrs sec qty incl excl orig "
    "misc cont viz gal tbsp tsp mins pcs pkg wt temp govt univ assoc dist intl mfg mfr"
)
_ABBREVIATION = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,6}$")
_PREVIOUS_WORD = re.compile(r"([A-Za-z]+) $")
_NUMBER_BEFORE = re.compile("[0-9] ?$")
_LONGEST_ABBREVIATION = 7  # characters that are read before a full stop
# A number of a list, with its mark. The marks of a list are equal, and its numbers are 1, 2, 3 in order.
_ITEM = re.compile(r"(?<![0-9.,/-])(?<![0-9][:：])(?<!第)[（(]?([1-9][0-9]?)([.．、)）])(?![0-9])|([①-⑳])(?![①-⑳])")
_ITEM_START = frozenset("：:。；;！!？?.…，,~～)）” \n\r\u2028\u2029")
_FIRST_CIRCLED = ord("①") - 1


def cut_sentences(text: str) -> list[str]:
    """Returns the sentences of a text in order. They are stripped, never empty, and exact substrings of the text.

    Chinese reviews often use commas only. A Chinese sentence of more than 40 characters is split at commas, so that a
    part can be quoted. A part has at least about 20 characters, the last one about 10. An item of a numbered list is a
    sentence, and includes its number.

    >>> cut_sentences("房间很大！服务也好。隔音不行")
    ['房间很大！', '服务也好。', '隔音不行']
    >>> cut_sentences("Looks great on her.I paid 3.5 dollars... No regrets :)")
    ['Looks great on her.', 'I paid 3.5 dollars...', 'No regrets :)']
    >>> cut_sentences("Mrs. Lee bought No. 5. Good: 1. soft 2. warm")
    ['Mrs. Lee bought No. 5.', 'Good:', '1. soft', '2. warm']
    """
    sentences: list[str] = []
    for part in _split(text, _sentence_ends(text)):
        sentences += _cut_long(part) if len(part) > _LONG and len(_HAN.findall(part)) * 2 > len(part) else [part]
    return sentences


def cut_clauses(sentence: str) -> list[str]:
    """Returns the clauses of a sentence, because different clauses often have opinions on different things.

    >>> cut_clauses("屏幕不错，但电池太差"), cut_clauses("great screen but poor battery")
    (['屏幕不错，', '但电池太差'], ['great screen but', 'poor battery'])
    """
    return _split(sentence, [match.end() for match in _CLAUSE_END.finditer(sentence) if not _is_in_label(match)])


def _is_in_label(match: re.Match[str]) -> bool:
    """Checks whether a blank is inside a label of two words, as in `Battery life: poor`."""
    sentence, (start, end) = match.string, match.span()
    if not match[0].isspace() or not sentence[end : end + 1].islower():
        return False
    return sentence[sentence.rfind(" ", max(0, start - 20), start) + 1 : start][:1].isupper()


def _sentence_ends(text: str) -> list[int]:
    """Returns where sentences end, in order."""
    items = _list_items(text) if "2" in text or "②" in text else {}
    marks = set(items.values())
    ends = list(items)
    previous = 0
    for match in _END.finditer(text):
        start, end = match.span()
        if text[start] == "." and end - start < 7:
            number = text[previous:start].strip(" （(") if start - previous < 8 else ""
            if start in marks or (number.isdigit() and len(number) < 3) or _continues(text, match):
                continue
        elif text[start] not in _BREAKS and end < len(text) and not _ends_after_bracket(text, match):
            continue
        ends.append(end)
        previous = end
    ends.sort()
    return ends


def _ends_after_bracket(text: str, match: re.Match[str]) -> bool:
    """Checks that a run of closing marks ends a sentence: 很好（红……），不错 continues after the bracket."""
    marks = match[0]
    is_ellipsis, is_bracket = not marks.rstrip("）)】]").strip("….~"), marks[-1] in "）)】]"
    if text[match.end()] in "，,、；;：:":
        return not (is_ellipsis or is_bracket)
    return not (is_ellipsis and is_bracket)


def _continues(text: str, match: re.Match[str]) -> bool:
    """Checks that full stops end no sentence: they abbreviate a word, or are in a bracket: (soft...) and cheap."""
    if match.end() < len(text) and text[match.end()] in "）)":
        return True
    if match[0].rstrip().endswith("..)"):
        return match.end() < len(text) and (text[match.end()].islower() or text[match.end()] in ",;:")
    return _is_abbreviation(text, match)


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    """Checks whether a single full stop belongs to the abbreviation before it."""
    start, end = match.span()
    word = _ABBREVIATION.search(text, max(0, start - _LONGEST_ABBREVIATION), start)
    if word is None or end == len(text) or text[start : start + 2] == ".." or "\n" in match[0]:
        return False
    name, after = word[0].lower(), text[end]
    if name in _TITLES:
        return True
    if name == "st" and after.isupper():  # St. Louis, but not: on Main St. The
        before = _PREVIOUS_WORD.search(text, max(0, word.start() - 20), word.start())
        return before is None or before[1].islower()
    if name == "no" and text[max(0, word.start() - 2) : word.start()].strip()[-1:] in ("?", "!", ","):
        return False  # Good? No. 5 of them broke.
    if name == "in" and after.islower():  # 5.5 in. long
        return _NUMBER_BEFORE.search(text, max(0, word.start() - 4), word.start()) is not None
    if name in _BEFORE_NUMBER and (after.isdigit() or after in "#$£€¥"):
        return True
    return name in _BEFORE_SMALL and (after.isdigit() or after.islower())


def _list_items(text: str) -> dict[int, int]:
    """Returns the start of each item of the numbered lists of a text, with the position of the mark after its number.

    A list has the numbers 1 and 2 at least. The first number is at the start of a line, after a mark, or after Chinese.
    """
    items: dict[int, int] = {}
    run: list[tuple[int, int]] = []
    run_mark = ""
    for match in _ITEM.finditer(text):
        circled = match[3]
        number = ord(circled) - _FIRST_CIRCLED if circled else int(match[1])
        start, mark, mark_position = match.start(), match[2] or "", match.end() - 1
        if run and number == len(run) + 1 and mark == run_mark:
            run.append((start, mark_position))
        elif number == 1:
            if len(run) > 1:
                items.update(run)
            is_start = start == 0 or text[start - 1] in _ITEM_START or _HAN.match(text, start - 1)
            is_after_word = (
                start > 1 and text[start - 1] == " " and (text[start - 2].isascii() and text[start - 2].isalnum())
            )
            run, run_mark = [(start, mark_position)] if is_start and not is_after_word else [], mark
    if len(run) > 1:
        items.update(run)
    return items


def _split(text: str, ends: list[int]) -> list[str]:
    """Splits a text at `ends`. Marks without a word, such as :), are added to the part before them."""
    last_word = _last_word(text)
    starts = [0]
    next_word = _next_word(text, 0)
    for end in ends:
        if end > last_word:
            break
        if next_word < end:
            starts.append(end)
            next_word = _next_word(text, end)
    parts = [text[start:stop].strip() for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
    return [part for part in parts if part]


def _next_word(text: str, start: int) -> int:
    match = _WORD.search(text, start)
    return match.start() if match else len(text)


def _last_word(text: str) -> int:
    for index in range(len(text) - 1, -1, -1):
        if _WORD.match(text, index):
            return index
    return -1


def _cut_long(sentence: str) -> list[str]:
    parts, start = [], 0
    for match in _COMMA.finditer(sentence):
        if match.end() - start >= _LONG // 2 and len(sentence) - match.end() >= _LONG // 4:
            parts.append(sentence[start : match.end()].strip())
            start = match.end()
    return [*parts, sentence[start:].strip()]
