"""Writes texts with checks and provenance for the requests of a file, for `reviewgen write`, without Spark."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TextIO

from reviewgen_spark.config import Config
from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import ConfigError, ErrorShareError
from reviewgen_spark.inference.generation.attempts import UNREADABLE, TextWorker, to_row, windows
from reviewgen_spark.inference.generation.generate import open_text_worker
from reviewgen_spark.inference.generation.setup import Writing, open_spec, settings_for
from reviewgen_spark.inference.labelling.label import require_label_model
from reviewgen_spark.inference.shipping.ship import files_beside
from reviewgen_spark.inference.shipping.worker import open_first_answers, open_predictor
from reviewgen_spark.orchestration.resources.writers import writing
from reviewgen_spark.text.requests.provenance import labelled
from reviewgen_spark.text.requests.request import TextRequest

STAGE = "write"


@dataclass
class WriteOutcome:
    """Counts the requests, and those that ended in an error."""

    lines: int = 0
    errors: int = 0

    def describe(self) -> str:
        """Returns the counts as one line."""
        return f"{self.lines:,} requests, {self.lines - self.errors:,} texts, {self.errors:,} errors"


@progress_bars()
def write_file(
    config: Config,
    writer: str,
    lines: Iterable[str],
    out: TextIO,
    report: Callable[[str], None],
    total: int | None = None,
) -> WriteOutcome:
    """Writes one output line for each request, in the same order; empty lines are skipped.

    An output line has the columns of a table of generated texts, and `line`, the number of the input line. Its text
    begins with the visible label, except training data. An invalid request gives an `error` and no text.

    Args:
        config: Sections `generation`, `checks`, `provenance` and the sections that these need.
        writer: template, torch or endpoint.
        lines: JSON objects, see `text/requests/request.py`.
        out: Stream to write JSON lines to, window by window.
        report: Called with a line of progress for each window.
        total: Number of requests in `lines`; without it there is no progress bar.

    Raises:
        ErrorShareError: More requests ended in an error than `generate.max_error_pct` allows; all output lines are
            written before.
        ModelNotFoundError: The writer is `torch`, and there is no generator.
    """
    resources = writing(config, writer)
    parts: Writing = resources.value
    for warning in resources.warnings:
        report(warning)
    worker = open_worker(config, parts)
    outcome = WriteOutcome()
    if parts.labeller is None:
        report("no labeller is registered, so texts are checked by word lists only")
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    shows_bar = not out.isatty()  # texts printed on the terminal would break the progress bar
    advance = add_bar("requests", total if total and shows_bar else 0)
    for window in windows(numbered, config.generation.window_rows):
        for row in _write_window(window, worker, config.provenance.content_producer):
            outcome.lines += 1
            outcome.errors += row["error"] is not None
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        out.flush()
        advance(len(window))
        report(outcome.describe())
    limit = config.generate.max_error_pct
    if outcome.lines and 100 * outcome.errors / outcome.lines > limit:
        raise ErrorShareError(
            f"write: {outcome.errors:,} of {outcome.lines:,} requests ended in an error, more than {limit:g} %; the "
            "column `error` has the reason. Correct the requests or the writer, or raise generate.max_error_pct"
        )
    return outcome


def _write_window(window: list[tuple[int, str]], worker: TextWorker, producer: str) -> list[dict[str, Any]]:
    """Returns the output rows of the numbered lines of a window, in the same order."""
    rows: dict[int, dict[str, Any]] = {}
    requests: dict[int, TextRequest] = {}
    for number, line in window:
        try:
            requests[number] = TextRequest.from_json(line)
        except ConfigError as error:
            rows[number] = {"line": number, "text": None, "error": _error(UNREADABLE, str(error))}
    for number, written in zip(requests, worker.write(list(requests.values())), strict=True):
        row = {"line": number, **to_row(written, worker.spec, STAGE, producer)}
        if row["text"] is not None and row["purpose"] != "augmentation":
            row["text"] = labelled(row["text"], row["lang_code"])
        rows[number] = row
    return [rows[number] for number, _line in window]


def _error(name: str, message: str) -> dict[str, str]:
    return {"class": name, "message": message, "stage": STAGE}


def open_worker(config: Config, parts: Writing) -> TextWorker:
    """Opens the writer and the checks on this machine, with the labeller if one is registered."""
    spec, settings = open_spec(config, parts), settings_for(config, parts)
    if parts.labeller is None:
        return open_text_worker(spec, settings, None)
    label, generation = settings.label, settings.generation
    require_label_model(parts.labeller, label)
    beside, folder = files_beside(label), parts.labeller.path
    predictor = open_predictor(folder, beside, generation.device, label.precision, generation.threads)
    return open_text_worker(spec, settings, predictor, open_first_answers(folder, beside))
