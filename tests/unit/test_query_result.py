"""Tests how rows of a query are printed: width of Chinese text, truncation to the terminal, control characters."""

import doctest

import pytest

from reviewgen_spark.config.messages import escape_controls
from reviewgen_spark.serving.sql import query_result
from reviewgen_spark.serving.sql.query_result import display_width, format_grid

LONG = "屏幕很好" * 30


def test_examples_in_docstrings_pass() -> None:
    result = doctest.testmod(query_result)
    assert result.attempted == 1 and result.failed == 0


def test_chinese_text_keeps_the_columns_aligned() -> None:
    grid = format_grid(["text", "n"], [["物流很快", "7"], ["ok", "12"], [None, None]], [False, True], None)
    assert grid.splitlines() == [
        "+--------+----+",
        "|text    |   n|",
        "+--------+----+",
        "|物流很快|   7|",
        "|ok      |  12|",
        "|NULL    |NULL|",
        "+--------+----+",
    ]


def test_without_a_terminal_nothing_is_truncated() -> None:
    assert f"|{LONG}|" in format_grid(["text"], [[LONG], ["x"]], [False], None)


@pytest.mark.parametrize("width", [40, 80, 79, 200])
def test_on_a_terminal_all_lines_have_one_width(width: int) -> None:
    grid = format_grid(["id", "text", "other"], [["1", LONG, "short"], ["2", "好", LONG]], [True, False, False], width)
    sizes = {display_width(line) for line in grid.splitlines()}
    assert len(sizes) == 1
    assert width - 4 < sizes.pop() <= width  # a wide character may leave one column free, in each of two cells
    assert "..." in grid and "|short" in grid


def test_a_text_that_fits_the_terminal_is_not_truncated() -> None:
    assert f"|{'a' * 97}|" in format_grid(["t"], [["a" * 97], ["b"]], [False], 99)
    assert f"|{'a' * 94}...|" in format_grid(["t"], [["a" * 98], ["b"]], [False], 99)


def test_a_single_row_that_does_not_fit_is_printed_as_a_list() -> None:
    assert format_grid(["id", "summary"], [["7", LONG]], [True, False], 80).splitlines() == [
        "id       7",
        f"summary  {LONG}",
    ]


def test_control_characters_are_escaped() -> None:
    controls = [chr(code) for code in (*range(32), *range(127, 160), 0x200B, 0x2028, 0x202E, 0x2066, 0xFEFF, 0xD800)]
    grid = format_grid(["a\x1b"], [[f"好{control}差"] for control in controls], [False], None)
    assert len(grid.splitlines()) == len(controls) + 4
    assert not set(controls) & set(grid) - {"\n"}
    assert "好\\x1b差" in grid and "好\\n差" in grid and "好\\u202e差" in grid
    assert len({display_width(line) for line in grid.splitlines()}) == 1


def test_printable_characters_are_not_escaped() -> None:
    for text in ("很好，全角 and half", "e\u0301", "👨\u200d👩\u200d👧", "a\xa0b"):
        assert escape_controls(text) == text
    assert display_width("e\u0301") == 1
