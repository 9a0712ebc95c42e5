"""Tests where sentences and clauses end, and that the time is proportional to the length of the text."""

from collections.abc import Callable
from time import process_time

import pytest

from reviewgen_spark.text.words.sentences import cut_clauses, cut_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("屏幕很好\n电池很差", ["屏幕很好", "电池很差"]),
        ("屏幕很好\r\n\r\n电池很差\n", ["屏幕很好", "电池很差"]),
        ("Good screen\nBad battery", ["Good screen", "Bad battery"]),
        ("屏幕很好 电池很差", ["屏幕很好 电池很差"]),
        # a number of a list is in the sentence of its item
        ("1. 质量好\n2. 价格低\n3. 物流快", ["1. 质量好", "2. 价格低", "3. 物流快"]),
        ("1. 质量好 2. 价格低 3. 物流快", ["1. 质量好", "2. 价格低", "3. 物流快"]),
        ("优点：1.质量好2.价格低", ["优点：", "1.质量好", "2.价格低"]),
        ("1、质量好2、价格低", ["1、质量好", "2、价格低"]),
        ("（1）质量好（2）价格低", ["（1）质量好", "（2）价格低"]),
        ("①质量好②价格低", ["①质量好", "②价格低"]),
        ("1) soft 2) warm 3) cheap", ["1) soft", "2) warm", "3) cheap"]),
        ("It is great. 1. It works. 2. It is cheap.", ["It is great.", "1. It works.", "2. It is cheap."]),
        ("2. Good", ["2. Good"]),
        # these are no lists
        ("I bought 1. My sister bought 2. Both good.", ["I bought 1.", "My sister bought 2.", "Both good."]),
        ("I gave it a 5. Good.", ["I gave it a 5.", "Good."]),
        ("买了1、2个，3、4个也好", ["买了1、2个，3、4个也好"]),
        ("1.5米的床很好，2.0米的也好", ["1.5米的床很好，2.0米的也好"]),
        ("选①②③都行", ["选①②③都行"]),
        # abbreviations
        ("Mrs. Lee bought No. 5 size. Good.", ["Mrs. Lee bought No. 5 size.", "Good."]),
        ("Dr. Smith vs. Jones Inc. is ok. Fine.", ["Dr. Smith vs. Jones Inc. is ok.", "Fine."]),
        (
            "I paid on Jan. 5. See Fig. 3 and vol. 2 first. Ok.",
            ["I paid on Jan. 5.", "See Fig. 3 and vol. 2 first.", "Ok."],
        ),
        ("A 5 oz. bottle, approx. 3 ft. long. Nice.", ["A 5 oz. bottle, approx. 3 ft. long.", "Nice."]),
        ("We stay in St. Louis. On Main St. The shop.", ["We stay in St. Louis.", "On Main St.", "The shop."]),
        ("It is 5.5 in. long. Good.", ["It is 5.5 in. long.", "Good."]),
        ("I moved in. it is fine", ["I moved in.", "it is fine"]),
        ("Soap, towels, etc. The rest is fine.", ["Soap, towels, etc.", "The rest is fine."]),
        ("Is it good? No. 5 of them broke.", ["Is it good?", "No.", "5 of them broke."]),
        ("I said no. It broke.", ["I said no.", "It broke."]),
        ("good. nice product. cheap", ["good.", "nice product.", "cheap"]),
        # ellipses and marks in brackets
        ("颜色多（红，蓝……），款式好（长，短……）。", ["颜色多（红，蓝……），款式好（长，短……）。"]),
        ("颜色多（红、蓝……）款式好", ["颜色多（红、蓝……）款式好"]),
        ("很软(真的...), 不错。好", ["很软(真的...), 不错。", "好"]),
        ("It is soft (really...) and cheap. Good", ["It is soft (really...) and cheap.", "Good"]),
        ("真好（赞！），下次来", ["真好（赞！），下次来"]),
        ("他说（哈哈……）。很好", ["他说（哈哈……）。", "很好"]),
        ("真好（赞！）下次来", ["真好（赞！）", "下次来"]),
        ("不错……就是贵", ["不错……", "就是贵"]),
        ("Great!!! (really) Bad", ["Great!!!", "(really) Bad"]),
    ],
)
def test_sentences_end_at_their_marks(text: str, sentences: list[str]) -> None:
    assert cut_sentences(text) == sentences


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("屏幕：清晰\n电池：太差", ["屏幕：", "清晰", "电池：", "太差"]),
        ("屏幕音效:清晰 待机时间:太差", ["屏幕音效:", "清晰", "待机时间:", "太差"]),
        ("Screen: great Battery: terrible", ["Screen:", "great", "Battery:", "terrible"]),
        ("屏幕很好 电池很差", ["屏幕很好", "电池很差"]),
        ("房间很大。隔音差", ["房间很大。", "隔音差"]),
        ("good but  cheap", ["good but", "cheap"]),
        ("a USB 3.0 port", ["a USB 3.0 port"]),
        ("手机 iPhone 很好", ["手机 iPhone 很好"]),
    ],
)
def test_clauses_end_at_commas_labels_and_line_breaks(sentence: str, clauses: list[str]) -> None:
    assert cut_clauses(sentence) == clauses


PIECES = (
    " ",
    ". ",
    ".",
    "\n",
    " \n",
    "（",
    "）",
    ")",
    "(",
    "…",
    "…）",
    "。",
    "。）",
    '."',
    "!?",
    "1. ",
    "1、",
    "①",
    "12. ",
)
PIECES += (
    "Mr. ",
    "no. 5 ",
    "a. ",
    "a.",
    " a",
    "a :",
    ": ",
    "好 ",
    "但",
    "“",
    "\u3000",
    "1.2.",
    "St. A ",
    ".)",
    "1 2 3. ",
)


@pytest.mark.parametrize("cut", [cut_sentences, cut_clauses])
@pytest.mark.parametrize("piece", PIECES)
def test_the_time_is_linear_for_any_run_of_marks(cut: Callable[[str], list[str]], piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        started = process_time()
        cut(text)
        return process_time() - started

    half, full = seconds(50_000), seconds(100_000)
    assert full < 1.0
    assert full < 3 * half + 0.1  # twice the text; four times the time if it was quadratic
