"""The pieces of the benchmarks that decide what a figure means; the benchmarks themselves are no timed tests."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop("turns", None)
    import turns

    return turns


@pytest.fixture
def spliced(turns: ModuleType) -> ModuleType:
    import spliced

    return spliced


def test_a_contestant_says_how_long_it_took_or_fails(turns: ModuleType, tmp_path: Path) -> None:
    from reviews import write_bronze

    write_bronze(tmp_path / "rows", 40)
    given = ("--rows", str(tmp_path / "rows"), "--line")
    assert turns.Contestant("floor", "pure_text.py", (*given, "floor")).run(tmp_path / "out")["seconds"] > 0
    with pytest.raises(RuntimeError, match="floor: exit code 2"):
        turns.Contestant("floor", "pure_text.py", (*given, "nothing")).run(tmp_path / "out")


def test_bars_and_the_file(turns: ModuleType, tmp_path: Path) -> None:
    bars = [turns.bar("speed", 2.5, 3), turns.bar("growth", 11, 12, at_most=True)]
    assert [item["holds"] for item in bars] == [False, True]
    turns.conclude("B0", 10, "rows", bars, tmp_path / "new" / "b0.json", full=False, more=1)
    assert json.loads((tmp_path / "new" / "b0.json").read_text())["bars"][0]["value"] == 2.5
    assert turns.median([{"seconds": 3}, {"seconds": 1}, {"seconds": 2}]) == 2


@pytest.mark.parametrize("rows", [500, 2_000])
def test_spliced_rows_spread_alike_at_every_size(spliced: ModuleType, rows: int) -> None:
    found = list(spliced.spliced_rows(rows))
    sizes: dict[int, int] = {}
    for row in found:
        if row.cluster >= 0:
            sizes[row.cluster] = sizes.get(row.cluster, 0) + 1
    copies = sum(sizes.values()) - len(sizes)
    assert len(found) == rows and copies / rows == pytest.approx(spliced.COPY_SHARE, abs=0.02)
    assert sum(size == 2 for size in sizes.values()) / len(sizes) == pytest.approx(0.6, abs=0.06)
    hot = [row.text for row in spliced.spliced_rows(rows, hot=True)]
    assert max(hot.count(text) for text in set(hot)) == round(rows * spliced.HOT_SHARE)


def test_rivals_are_compared_at_our_size(turns: ModuleType) -> None:
    from b3_label import rows_per_s

    # 10 s to start and 0.1 s a row: 1,000 rows take 110 s, 500 take 60
    assert rows_per_s(1_000, 110, 60, at=10_000) == pytest.approx(10_000 / 1_010)
    # noise that would make a row cost nothing, or starting, leaves what was measured
    assert rows_per_s(1_000, 110, 120, at=10_000) == pytest.approx(1_000 / 110)
    assert rows_per_s(1_000, 110, 40, at=10_000) == pytest.approx(1_000 / 110)
