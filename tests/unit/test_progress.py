"""Tests that progress bars are shown on a terminal, and nowhere else."""

import io
import json
import os
import re
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config.progress import add_bar, progress_bars
from tests.terminal import open_terminal

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
REQUEST = {
    "purpose": "reply",
    "product_id": "p",
    "lang_code": "zh",
    "sources": [{"record_id": "r", "text": "屏幕碎了"}],
}


@progress_bars()
def work(steps: int = 4, fails: bool = False, done: int = 0, pause_s: float = 0) -> None:
    advance = add_bar("batches", steps, done)
    for step in range(done, steps):
        print(f"12:00:00 [clean] batch {step} of :x: [red]", file=sys.stderr)
        print(f"row {step}")
        advance(1)
        time.sleep(pause_s if step == done else 0)  # the display is drawn twice a second
    if fails:
        raise ValueError


def shown(text: str) -> list[str]:
    """Returns the output in lines, without colours and cursor movements."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text))]


def test_a_terminal_shows_percent_and_time_left_below_the_plain_lines() -> None:
    with open_terminal() as screen, redirect_stdout(io.StringIO()) as out:
        work(pause_s=1)
    lines = shown(screen.text())
    for step in range(4):
        assert f"12:00:00 [clean] batch {step} of :x: [red]" in lines
    bars = [line for line in lines if line.startswith("batches")]
    assert any(re.search(r"25% 1/4 \d:\d\d:\d\d left$", bar) for bar in bars)
    assert out.getvalue() == "row 0\nrow 1\nrow 2\nrow 3\n", "a result must not go to the terminal of the bars"
    assert screen.text().count(HIDE_CURSOR) == screen.text().count(SHOW_CURSOR) == 1


def test_a_bar_is_removed_when_its_work_fails() -> None:
    before = sys.stderr
    with open_terminal() as screen:
        stream = sys.stderr
        with pytest.raises(ValueError):
            work(fails=True)
        assert sys.stderr is stream
        print("error: it failed", file=sys.stderr)
    assert sys.stderr is before
    after = screen.text().rpartition(SHOW_CURSOR)[2]
    assert "batches" not in after and "error: it failed" in after


def test_nested_work_has_its_own_bar_that_is_removed_first() -> None:
    with open_terminal() as screen:

        @progress_bars()
        def pipeline() -> None:
            advance = add_bar("stages", 2, is_even=False)
            work()
            advance(1)
            time.sleep(1)
            print("after the first stage", file=sys.stderr)

        pipeline()
    lines = shown(screen.text())
    index = lines.index("after the first stage")
    assert any(line.startswith("batches") for line in lines[:index])
    assert not any(line.startswith("batches") for line in lines[index:])
    stages = [line for line in lines if line.startswith("stages")]
    assert "1/2" in stages[-1] and not any("left" in line or "-:--" in line for line in stages)


def test_resumed_work_starts_at_the_finished_share() -> None:
    with open_terminal() as screen:
        work(done=2)
    bars = [line for line in shown(screen.text()) if line.startswith("batches")]
    assert "50%" in bars[0] and "2/4" in bars[0]


@pytest.mark.parametrize(("kind", "steps"), [("dumb", 4), ("xterm", 1)])
def test_a_dumb_terminal_and_a_single_step_show_no_bar(kind: str, steps: int) -> None:
    with open_terminal(kind) as screen:
        work(steps)
    assert screen.text() == "".join(f"12:00:00 [clean] batch {step} of :x: [red]\r\n" for step in range(steps))


def test_a_bar_outside_of_progress_bars_is_not_shown() -> None:
    with open_terminal() as screen:
        add_bar("rows", 10)(5)
    assert screen.text() == ""


def test_a_pipe_gets_plain_lines_in_every_environment() -> None:
    code = "from tests.unit.test_progress import work; work()"
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, **forced},
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr.decode() == "".join(f"12:00:00 [clean] batch {step} of :x: [red]\n" for step in range(4))
    assert done.stdout == b"row 0\nrow 1\nrow 2\nrow 3\n"


def test_a_pipe_does_not_import_rich() -> None:
    code = "import sys; from tests.unit.test_progress import work; work(); assert 'rich.progress' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=Path(__file__).parents[2])


def test_the_command_write_shows_its_requests(tmp_path: Path) -> None:
    requests, out = tmp_path / "in", tmp_path / "out"
    requests.write_text("﻿" + "\n\n".join([json.dumps(REQUEST)] * 5), encoding="utf-8")
    settings = (f"paths.root={tmp_path}", "generation.labeller=none", "generation.window_rows=2")
    arguments = ["write", "--requests", str(requests), "--writer", "template"]
    arguments += [part for setting in settings for part in ("--set", setting)]
    with open_terminal() as screen:
        assert main([*arguments, "--out", str(out)]) == 0
    lines = shown(screen.text())
    assert "2 requests, 2 texts, 0 errors" in lines and "5 requests, 5 texts, 0 errors" in lines
    assert any(re.search(r"^requests .* 0% 0/5 .* left$", line) for line in lines)
    rows = out.read_bytes()
    assert len(rows.splitlines()) == 5 and b"\x1b" not in rows
    with open_terminal() as screen, redirect_stdout(open(os.ttyname(sys.stderr.fileno()), "w")):  # noqa: PTH123
        assert main(arguments) == 0
    assert "\x1b" not in screen.text(), "texts and a bar on one terminal would mix"
