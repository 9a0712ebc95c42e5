"""Remembers Ctrl-C, because PySpark and libraries may turn it into another exception."""

import logging
import signal
import threading
from types import FrameType
from typing import Any

_interrupted = threading.Event()


def note_interrupts() -> None:
    """Notes each SIGINT, then calls the handler that was set before. Call it again after a library set its own.

    Other threads than the main one get no signals, and cannot set a handler.
    """
    logging.getLogger().addFilter(_is_worth_logging)
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGINT)
    if getattr(before, "notes_interrupts", False) or not callable(before):
        return

    def handle(number: int, frame: FrameType | None) -> Any:
        _interrupted.set()
        try:
            before(number, frame)
        except Exception:  # PySpark's handler cancels jobs first, which fails while the JVM starts or ends
            raise KeyboardInterrupt from None

    handle.notes_interrupts = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, handle)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Drops the stack trace that py4j logs by the root logger when Ctrl-C comes during a call of the JVM."""
    return record.msg != "KeyboardInterrupt while sending command."


def was_interrupted(error: BaseException) -> bool:
    """Returns whether Ctrl-C caused an exception: directly, or while another one was handled."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__cause__ or cause.__context__
    return _interrupted.is_set()
