"""Cells of exported CSV files: a spreadsheet computes none of them, and numbers stay numbers."""

import csv
import io

import pytest

from reviewgen_spark.operations.text_export import csv_cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+2",
        '=HYPERLINK("http://host", "a")',
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\ufeff=1",
        "\u3000=1",
        "＝1+2",
        "- very good",
        "+",
        "-1;=2",
        "-1 ",
        "-٣",
    ],
)
def test_a_formula_becomes_text(text: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["id", csv_cell(text)])
    [[_, cell]] = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-1", "+2.5", "-0.5e-3", "-.5", "5.", 7, -7, True, None, -1.5, "好", "a=b", "'=1", "", "1-2"]
)
def test_other_cells_stay(value: object) -> None:
    assert csv_cell(value) == value


def test_lists_are_json() -> None:
    assert csv_cell(["=1", "-2"]) == '["=1", "-2"]' and csv_cell({"a": "好"}) == '{"a": "好"}'
