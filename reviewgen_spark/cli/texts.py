"""Adds the commands about texts: export, gallery, write, text."""

import argparse
import json
import sys
from contextlib import ExitStack
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from reviewgen_spark.cli.command import Commands, add_command, add_group, open_session, read_config
from reviewgen_spark.config.messages import print_data, print_line, print_message
from reviewgen_spark.config.untrusted_json import read_lines
from reviewgen_spark.errors import ConfigError, DataQualityError

if TYPE_CHECKING:
    from rich.console import Console


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    exports = add_group(commands, "export", "export generated texts to files, and record each export", "WHAT")
    texts = add_command(
        exports,
        "texts",
        _export_texts,
        "write generated texts to files, with visible labels and AIGC metadata",
        """reviewgen export texts --out texts                            # summaries, product copy and replies
reviewgen export texts --out corpus --purpose augmentation    # training data, never to be shown""",
        "0 done, 2 wrong configuration, 3 a text does not match its metadata, 5 everything else",
    )
    texts.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder to write; must be empty or absent"
    )
    texts.add_argument(
        "--purpose",
        action="append",
        default=[],
        metavar="PURPOSE",
        help="summary, product_copy, reply (default: these three) or augmentation, which is training data; repeatable",
    )
    texts.add_argument(
        "--format", choices=("jsonl", "csv"), default="jsonl", help="format of the texts (default jsonl)"
    )
    texts.add_argument("--strip", action="store_true", help="leave out labels and metadata; needs --reason")
    texts.add_argument("--reason", help="the reason; ops_text_exports keeps it with your name")

    gallery = add_command(
        commands,
        "gallery",
        _gallery,
        "write an HTML page of generated texts beside their sources, for people to read",
        "reviewgen gallery --out gallery.html",
    )
    gallery.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    gallery.add_argument("--rows", type=int, default=200, help="number of texts to show (default 200)")
    gallery.add_argument(
        "--metrics", type=Path, metavar="FILE", help="JSON file of figures to show beside those of the baselines"
    )

    write = add_command(
        commands,
        "write",
        _write,
        "write a text for each request in a file, with checks and provenance, without Spark",
        """\
echo '{"purpose": "reply", "product_id": "p1", "lang_code": "zh", "sources": [{"record_id": "r1", "text": "碎了"}]}' |
  reviewgen write --requests - --writer template""",
        "0 done, 2 wrong configuration, 4 too many requests ended in an error, 5 everything else",
    )
    write.add_argument(
        "--requests", required=True, metavar="FILE", help="requests as JSON lines; - reads standard input"
    )
    write.add_argument("--out", type=Path, metavar="FILE", help="JSON-lines file to write (default: standard output)")
    write.add_argument(
        "--writer",
        choices=("template", "torch", "endpoint"),
        help="the kind of writer (default: the setting generate.writer)",
    )

    text = add_command(
        commands,
        "text",
        _text,
        "show what is read of texts: clean text, masks, words, sentences, sentiment, aspects; without Spark",
        """\
echo '屏幕很好，电池太差' | reviewgen text --pretty
reviewgen text reviews.jsonl --jsonl""",
        "0 done, 2 wrong configuration, 3 a line could not be read and has an `error`, 5 everything else",
    )
    text.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="one text a line; - (the default) reads standard input"
    )
    text.add_argument("--jsonl", action="store_true", help="the lines are JSON objects with `text`")
    text.add_argument(
        "--pretty", action="store_true", help="print for people, in colour on a terminal, instead of JSON"
    )


def _export_texts(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.text_export import TextExport, export_texts
    from reviewgen_spark.orchestration.runner import open_run
    from reviewgen_spark.text.requests.purposes import PUBLISHABLE

    config = read_config(options)
    purposes = tuple(options.purpose) or tuple(sorted(PUBLISHABLE))
    export = TextExport(options.out.resolve(), purposes, options.format, options.strip, options.reason)
    with open_session(config) as spark, open_run(spark, config) as run:
        for line in export_texts(run, export).lines():
            print_line(line)
    return 0


def _gallery(options: argparse.Namespace) -> int:
    from reviewgen_spark.reports.gallery import read_gallery, read_metrics, render
    from reviewgen_spark.warehouse.tables import Warehouse

    config = read_config(options)
    metrics = read_metrics(options.metrics) if options.metrics else ()
    with open_session(config) as spark:
        page = render(read_gallery(Warehouse(spark, config), options.rows), metrics)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print_line(f"{options.out}: open it in a browser; it contains review texts, as the tables do")
    return 0


def _open_text(path: Path) -> TextIO:
    """Opens a text file; bytes that are not UTF-8 become the error of their line."""
    return path.open(encoding="utf-8-sig", errors="surrogateescape")


def _standard_input() -> TextIO:
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")
    return sys.stdin


def _text(options: argparse.Namespace) -> int:
    from reviewgen_spark.cli.reading_view import draw_reading
    from reviewgen_spark.operations.text_reading import TextReader, texts_of

    reader = TextReader(read_config(options))
    failures = 0
    with ExitStack() as files:
        try:
            lines = _standard_input() if options.file == "-" else files.enter_context(_open_text(Path(options.file)))
        except OSError as error:
            raise ConfigError(f"{error.filename}: cannot be opened ({type(error).__name__})") from None
        for number, text in enumerate(texts_of(read_lines(lines), options.jsonl), start=1):
            if isinstance(text, ValueError):
                failures += 1
                print_data(json.dumps({"line": number, "error": str(text)}))
            elif options.pretty:
                _console().print(draw_reading(number, reader.read(text)))
            else:
                print_data(reader.read(text).to_json())
    if failures:
        raise DataQualityError(f"{failures:,} lines could not be read; each has an `error` in the output")
    return 0


@cache
def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _write(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.write_file import write_file

    config = read_config(options)
    writer = options.writer or config.generate.writer
    with ExitStack() as files:
        try:
            is_piped = options.requests == "-"
            lines = _standard_input() if is_piped else files.enter_context(_open_text(Path(options.requests)))
            out = files.enter_context(options.out.open("w", encoding="utf-8")) if options.out else sys.stdout
        except OSError as error:
            raise ConfigError(f"{error.filename}: cannot be opened ({type(error).__name__})") from None
        total = None
        if lines.seekable() and not is_piped:
            total = sum(1 for line in read_lines(lines) if line.strip())
            lines.seek(0)
        write_file(config, writer, read_lines(lines), out, print_message, total)
    return 0
