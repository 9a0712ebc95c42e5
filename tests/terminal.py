"""Opens a terminal for a test: standard error is a pseudo-terminal, and its output is kept."""

import os
import pty
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


class Screen:
    """Collects the output that was sent to a terminal."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._bytes = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def text(self) -> str:
        """Returns all output so far; it is complete after `open_terminal` ended."""
        return self._bytes.decode()

    def close(self) -> None:
        self._reader.join(10)
        os.close(self._leader)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._leader, 65536)
            except OSError:  # Linux raises this when the other side is closed
                return
            if not chunk:
                return
            self._bytes += chunk


@contextmanager
def open_terminal(kind: str = "xterm") -> Iterator[Screen]:
    leader, follower = pty.openpty()
    screen = Screen(leader)
    with (
        os.fdopen(follower, "w", encoding="utf-8", buffering=1) as stream,
        patch.dict(os.environ, {"TERM": kind, "COLUMNS": "100"}),
        patch.object(sys, "stderr", stream),
    ):
        yield screen
    screen.close()
