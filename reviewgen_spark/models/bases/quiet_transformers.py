"""Turns off progress bars and warnings of transformers."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Turns off progress bars and warnings inside the block, and restores both afterwards."""
    from transformers.utils import logging

    had_progress_bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_progress_bars:
            logging.enable_progress_bar()
