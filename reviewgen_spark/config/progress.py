"""Shows progress bars with the remaining time on a terminal; elsewhere it shows nothing.

Printed lines do not change: `rich` prints them above the bars, and removes the bars at the end. A process has one
display, because the bars of a pipeline, its stage and a training are shown together.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID
    from rich.text import Text

Advance = Callable[[int], None]

_display: "Progress | None" = None
_bars: "list[TaskID]" = []
_depth = 0  # of calls within `progress_bars`


@contextmanager
def progress_bars() -> Iterator[None]:
    """Removes the bars that were added inside, also after a failure; decorates the function that adds them."""
    global _depth
    before, _depth = len(_bars), _depth + 1
    try:
        yield
    finally:
        _depth -= 1
        _remove_bars(before)


def add_bar(name: str, total: int, done: int = 0, is_even: bool = True) -> Advance:
    """Adds a bar and returns the function that moves it by a number of steps.

    There is no bar outside of `progress_bars`, if stderr is not a terminal, or for a single step. Then the function
    does nothing.

    Args:
        name: What the work is; it holds no review text.
        total: Steps of the work.
        done: Steps that an earlier run finished.
        is_even: Whether steps take about the same time; if not, the bar shows no remaining time.
    """
    if total < 2 or not _depth or not _is_terminal():
        return lambda steps: None
    display = _open_display()
    bar = display.add_task(name, total=total, completed=done, is_even=is_even)
    display.advance(bar, 0)  # starts the clock, so that the remaining time is known after the first step
    _bars.append(bar)
    return lambda steps: display.advance(bar, steps)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _open_display() -> "Progress":
    global _display
    if _display is not None:
        return _display
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class TimeLeft(TimeRemainingColumn):
        def render(self, task: "Task") -> "Text":
            return super().render(task).append(" left") if task.fields["is_even"] else Text()

    _display = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeLeft(),
        console=Console(stderr=True, force_terminal=True, force_interactive=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # results that go to a file or a pipe are not redirected
        refresh_per_second=2,
        speed_estimate_period=3600,  # seconds; a batch can take minutes, and the estimate ignores older steps
    )
    _display.start()
    return _display


def _remove_bars(remaining: int) -> None:
    global _display
    if _display is None:
        return
    while len(_bars) > remaining:
        _display.remove_task(_bars.pop())
    if not _bars:
        _display.stop()
        _display = None
