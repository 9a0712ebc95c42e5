"""Prints the rows of a query as a grid that fits the terminal, with control characters escaped.

Unlike `DataFrame.show` it escapes every control character, because review text may contain terminal commands. It cuts
values only at the width of the terminal, and counts Chinese characters as two columns.
"""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, NumericType, StructField

from reviewgen_spark.config.messages import escape_controls

MIN_WIDTH = 8  # a narrower column shows nothing of a text; rows then wrap
CUT = "..."  # as Spark shows it; a single "…" is one or two columns wide, depending on the terminal


def print_result(frame: DataFrame, rows: int) -> None:
    """Prints at most `rows` rows. A pipe or a file gets whole values. A terminal gets values cut to its width."""
    if not frame.columns:
        return  # a command such as CREATE VIEW
    fields = frame.schema.fields
    renamed = frame.toDF(*(str(index) for index in range(len(fields))))  # names may repeat
    fetched = renamed.select(*(_as_text(str(index), field) for index, field in enumerate(fields))).take(rows + 1)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    is_number = [isinstance(field.dataType, NumericType) for field in fields]
    print(format_grid(frame.columns, [list(row) for row in fetched[:rows]], is_number, width))
    if len(fetched) > rows:
        print(f"only the first {rows:,} rows are shown")


def _as_text(name: str, field: StructField) -> Column:
    column = F.col(name)
    return F.hex(column) if isinstance(field.dataType, BinaryType) else column.cast("string")


def format_grid(
    names: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Sequence[bool], width: int | None
) -> str:
    """Returns the rows below their column names, between lines.

    Args:
        names: Column names.
        rows: Values as text; None is shown as NULL.
        numbers: Whether a column has numbers, which are aligned at the right.
        width: Columns of the terminal. Longer values are cut. A single row that does not fit is written whole, with one
            value a line. None means no limit.
    """
    header = [escape_controls(name) for name in names]
    cells = [["NULL" if value is None else escape_controls(value) for value in row] for row in rows]
    columns = list(zip(header, *cells, strict=True))
    widths = [max(display_width(text) for text in column) for column in columns]
    borders = len(widths) + 1
    if width is not None and sum(widths) + borders > width:
        if len(cells) == 1:
            longest = max(display_width(name) for name in header)
            return "\n".join(f"{_pad(name, longest)}  {text}" for name, text in zip(header, cells[0], strict=True))
        widths = _fit(widths, width - borders)

    def line(texts: Iterable[str], right: Sequence[bool]) -> str:
        padded = (_pad(_cut(text, size), size, end) for text, size, end in zip(texts, widths, right, strict=True))
        return f"|{'|'.join(padded)}|"

    rule = f"+{'+'.join('-' * size for size in widths)}+"
    return "\n".join([rule, line(header, numbers), rule, *(line(row, numbers) for row in cells), rule])


def display_width(text: str) -> int:
    """Returns how many columns of a terminal a text takes: two for a Chinese character, none for a combining one.

    >>> display_width("物流快"), display_width("fast")
    (6, 4)
    """
    return len(text) if text.isascii() else sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _fit(widths: Sequence[int], available: int) -> list[int]:
    """Narrows the widest columns until all fit, down to MIN_WIDTH."""
    limits = range(max(widths), MIN_WIDTH, -1)
    limit = next((width for width in limits if sum(min(size, width) for size in widths) <= available), MIN_WIDTH)
    return [min(size, limit) for size in widths]


def _cut(text: str, width: int) -> str:
    if display_width(text) <= width:
        return text
    shown, used = [], len(CUT)
    for char in text:
        used += _char_width(char)
        if used > width:
            break
        shown.append(char)
    return "".join(shown) + CUT


def _pad(text: str, width: int, right: bool = False) -> str:
    fill = " " * (width - display_width(text))
    return fill + text if right else text + fill
