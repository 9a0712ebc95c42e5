"""The `reviewgen` command: parses arguments and calls the module that does the work."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewgen_spark import __version__
from reviewgen_spark.config import Config, load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.job import add_config_options, add_pipeline_options, batch_range, guarded, run_stages
from reviewgen_spark.pipelines import PIPELINES, all_stages, stages_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EPILOG = """exit codes: 0 done, 2 configuration, 3 quality or freshness gate, 4 error share, 5 everything else"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return guarded(lambda: int(options.run(options)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reviewgen",
        description="Nightly Spark jobs for e-commerce reviews: clean, de-duplicate, tokenise, train, label, report.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, help_: str, into: Any = commands) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = into.add_parser(name, help=help_, description=help_, epilog=EPILOG)
        add_config_options(added)
        added.set_defaults(run=run)
        return added

    sample = command("sample", _sample, "write a landing folder of real reviews, as a shop would deliver them")
    sample.add_argument("--rows", type=int, default=20_000, help="review records (default 20000)")
    sample.add_argument("--out", type=Path, required=True, help="folder to write; must be empty or absent")
    sample.add_argument("--seed", type=int, default=7, help="same seed, same bytes (default 7)")

    run = command("run", _run, "run a pipeline over everything that is not done yet")
    run.add_argument("pipeline", choices=PIPELINES)
    add_pipeline_options(run)

    status = command("status", _status, "show how far every stage is, and which files wait for a decision")
    status.add_argument("--counts", action="store_true", help="count the records of every table; exit 3 if a sum fails")

    quality = command("quality", _quality, "print how many reviews each quality rule met, with its condition")
    quality.add_argument("--batches", metavar="A-B", help="only batches A to B (default all)")

    sql = command("sql", _sql, "run a query on the tables and views, also while a run writes them")
    sql.add_argument("query", help='such as "SELECT sentiment_label, count(*) FROM gold_review_labels GROUP BY 1"')
    sql.add_argument("--rows", type=int, default=50, help="rows to print (default 50)")

    command("shell", _shell, "open a Python prompt with `spark`, the tables and the views")

    doctor = command("doctor", _doctor, "check machine, workers, model and tables: a line each, with what to do next")
    doctor.epilog = "exit codes: 0 nothing failed, 2 a wrong setting, 5 something else failed; warnings do not count"

    estimate = command("estimate", _estimate, "time a sample, and tell what labelling everything will take and cost")
    estimate.add_argument("stage", choices=("label",))
    estimate.add_argument("--sample", type=int, default=2_000, help="reviews to time, about (default 2000)")
    estimate.add_argument("--all", action="store_true", help="every review, not only those that lack a label")
    estimate.add_argument("--cost-per-hour", type=float, metavar="X", help="of the machines together, any currency")

    ingest = commands.add_parser("ingest", help="decide about a file that was refused whole")
    decisions = ingest.add_subparsers(required=True, metavar="DECISION")
    for name, help_ in (
        ("accept", "take what is readable of FILE; its malformed records are quarantined one by one"),
        ("retry", "look at FILE again on the next run, as it has been mended"),
    ):
        decision = command(name, _decide, help_, decisions)
        decision.add_argument("file", metavar="FILE", help="as `reviewgen status` names it")
        decision.set_defaults(decision=name)

    erasing = command("erase", _erase, "erase users' or reviews' records for good; without ids, finish what is open")
    for kind in ("user", "review"):
        erasing.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="ID",
            help="repeatable; a shell keeps it in its history",
        )
        erasing.add_argument(f"--{kind}-file", metavar="FILE", help="ids, one a line; - reads standard input")
    erasing.add_argument("--rewrite-landing", action="store_true", help="empty the records in delivered files too")

    tending = command("maintain", _maintain, "pack and order the tables, remove what is older than retention")
    tending.add_argument("--dry-run", action="store_true", help="only say what would go")

    export = commands.add_parser("export", help="take generated texts out of the house, labelled and recorded")
    exports = export.add_subparsers(required=True, metavar="WHAT")
    texts = command("texts", _export_texts, "write generated texts with visible labels and AIGC metadata", exports)
    texts.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write; empty or absent")
    texts.add_argument(
        "--purpose",
        action="append",
        default=[],
        metavar="PURPOSE",
        help="summary, product_copy, reply (default these three) or augmentation, which is training data; repeatable",
    )
    texts.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="default jsonl")
    texts.add_argument("--strip", action="store_true", help="without labels and metadata; needs --reason")
    texts.add_argument("--reason", help="why; kept in ops_text_exports with your name")

    gallery = command("gallery", _gallery, "write a page of generated texts beside their sources, to look at")
    gallery.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    gallery.add_argument("--rows", type=int, default=200, help="texts to show (default 200)")
    gallery.add_argument("--metrics", type=Path, metavar="FILE", help="JSON of figures to show beside the baselines'")

    evaluate = command("evaluate", _evaluate, "score a registered model on a labelled CSV, TSV or JSON-lines file")
    evaluate.add_argument("--model", required=True, metavar="NAME@ALIAS", help="or NAME@VERSION")
    evaluate.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help=".csv, .tsv, .jsonl, or these with .gz"
    )
    evaluate.add_argument("--text", required=True, metavar="COLUMN", help="column of the text")
    evaluate.add_argument(
        "--label", required=True, metavar="COLUMN", help="column of the label: 0/1, positive, 差评, …"
    )
    evaluate.add_argument("--stars", action="store_true", help="labels are 1 to 5 stars; 3 is left out")
    evaluate.add_argument("--slice", metavar="COLUMN", help="also by the values of this column")
    evaluate.add_argument("--delimiter", help="of a delimited file whose name does not say it")
    evaluate.add_argument("--no-header", action="store_true", help="columns are positions, from 0")
    evaluate.add_argument(
        "--raw", action="store_true", help="score texts as they stand, not cleaned as the pipeline does"
    )
    evaluate.add_argument("--json", type=Path, metavar="OUT", help="write all figures here too")

    write = command("write", _write, "write a text for each request of a file, with checks and provenance; no Spark")
    write.add_argument("--requests", required=True, metavar="FILE", help="JSON lines; - reads standard input")
    write.add_argument("--out", type=Path, metavar="FILE", help="JSON lines (default: standard output)")
    write.add_argument("--writer", choices=("template", "torch", "endpoint"), help="default: generate.writer")

    command("tune", _tune, "search for the settings of fine-tuning on the newest corpus; goes on when run again")

    models = commands.add_parser("models", help="list, look at, promote and roll back registered models")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    command("list", _models_list, "list every version, newest first", actions)
    promote = command("promote", _promote, "make VERSION champion; the next night re-labels with it", actions)
    promote.add_argument("version", type=int, metavar="VERSION")
    promote.add_argument("--reason", required=True, help="why; kept in ops_model_promotions")
    promote.add_argument("--force", action="store_true", help="past the gate, which the table then says")
    compare = command(
        "compare", _compare, "ask the gate about two versions, and count the labels that would flip", actions
    )
    compare.add_argument("one", metavar="ONE", help="alias or version that would come")
    compare.add_argument(
        "other", metavar="OTHER", nargs="?", default="champion", help="that would go (default champion)"
    )
    page = command("page", _model_page, "fetch the page of a registered model: curves, slices, robustness", actions)
    page.add_argument("model", metavar="NAME@ALIAS", help="or NAME@VERSION")
    page.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    rollback = command("rollback", _rollback, "make the version champion that was it before", actions)
    rollback.add_argument("--reason", required=True, help="why; kept in ops_model_promotions")

    demo = command("demo", _demo, "sample, prepare, train and label in one go, then print a few answers")
    demo.add_argument("--rows", type=int, default=20_000, help="review records (default 20000)")
    return parser


# Each command imports what it needs: `reviewgen --help` must not wait for Spark.


@contextmanager
def _session(config: Config) -> Iterator["SparkSession"]:
    from reviewgen_spark.session import start_session

    spark = start_session(config)
    try:
        yield spark
    finally:
        spark.stop()


def _config(options: argparse.Namespace) -> Config:
    return load_config(options.env, options.set)


def _sample(options: argparse.Namespace) -> int:
    from reviewgen_spark.sample import write_sample

    out: Path = options.out.resolve()
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"--out {out}: the folder is not empty; name another, or empty it")
    summary = write_sample(out, options.rows, options.seed)
    print(summary.describe())
    return 0


def _run(options: argparse.Namespace) -> int:
    return run_stages(options.pipeline, stages_of(options.pipeline), _config(options), options)


def _status(options: argparse.Namespace) -> int:
    from reviewgen_spark.backlog import Backlog
    from reviewgen_spark.erasure_log import open_erasures
    from reviewgen_spark.ledger import Ledger
    from reviewgen_spark.status import backfill_lines, count_records, stage_lines, undecided_files
    from reviewgen_spark.tables import Warehouse

    config = _config(options)
    with _session(config) as spark:
        warehouse = Warehouse(spark, config)
        if not warehouse.exists("ops_stage_runs"):
            print(f"{config.paths.warehouse}: no run yet; start with `reviewgen run nightly`")
            return 0
        ledger = Ledger(warehouse, "status")
        print("\n".join(stage_lines(ledger, all_stages())))
        for line in (*backfill_lines(Backlog(config, warehouse, ledger), all_stages()), *open_erasures(warehouse)):
            print(line)
        for row in undecided_files(warehouse, config):
            print(f"refused whole: {row.path}: {row.detail}; `reviewgen ingest accept|retry {row.path}`")
        if options.counts:
            counts = count_records(warehouse)
            print("\n".join(counts.lines()))
            for fault in counts.faults:
                print(f"does not add up: {fault}", file=sys.stderr)
            return 3 if counts.faults else 0
    return 0


def _quality(options: argparse.Namespace) -> int:
    from reviewgen_spark.status import quality_lines
    from reviewgen_spark.tables import Warehouse

    config, batches = _config(options), batch_range(options.batches)
    with _session(config) as spark:
        warehouse = Warehouse(spark, config)
        print("\n".join(quality_lines(warehouse, config.quality.rules, batches)))
    return 0


def _sql(options: argparse.Namespace) -> int:
    from pyspark.errors import AnalysisException

    from reviewgen_spark.catalog import register_tables
    from reviewgen_spark.errors import SchemaError
    from reviewgen_spark.functions import register_named

    config = _config(options)
    with _session(config) as spark:
        register_tables(spark, config)
        register_named(spark, config, options.query)
        try:
            spark.sql(options.query).show(options.rows, truncate=80)
        except AnalysisException as error:
            raise SchemaError(
                f"the query does not fit the tables ({error.getCondition()}): {error.getMessage()}"
            ) from None
    return 0


def _shell(options: argparse.Namespace) -> int:
    from reviewgen_spark.shell import open_shell

    config = _config(options)
    with _session(config) as spark:
        open_shell(spark, config)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from reviewgen_spark.doctor import examine

    return examine(options.env, options.set, lambda line: print(line, flush=True))


def _estimate(options: argparse.Namespace) -> int:
    from reviewgen_spark.estimation import estimate_labelling

    config = _config(options)
    with _session(config) as spark:
        found = estimate_labelling(
            spark, config, options.sample, options.all, options.cost_per_hour, lambda line: print(line, file=sys.stderr)
        )
    print("\n".join(found.lines()))
    if not found.batches:
        print("nothing to label; --all estimates every review again")
    return 0


def _decide(options: argparse.Namespace) -> int:
    from reviewgen_spark.runner import open_run
    from reviewgen_spark.status import decide_file

    config = _config(options)
    with _session(config) as spark, open_run(spark, config) as run:
        decide_file(run.warehouse, options.file, options.decision)
    print(f"{options.file}: the next `reviewgen run nightly` will {options.decision} it")
    return 0


def _erase(options: argparse.Namespace) -> int:
    from reviewgen_spark.erasure import Request, erase
    from reviewgen_spark.runner import open_run

    config = _config(options)
    if options.user_file == options.review_file == "-":
        raise ConfigError("--user-file - --review-file -: only one of them can be standard input")
    request = Request(_ids(options.user, options.user_file), _ids(options.review, options.review_file))
    with _session(config) as spark, open_run(spark, config) as run:
        outcome = erase(run, request, options.rewrite_landing)
    print("\n".join(outcome.lines()))
    print("run `reviewgen run nightly` now: it completes what stood on the erased records")
    return 3 if outcome.leftovers else 0


def _maintain(options: argparse.Namespace) -> int:
    from reviewgen_spark.maintenance import maintain
    from reviewgen_spark.runner import open_run

    config = _config(options)
    with _session(config) as spark, open_run(spark, config) as run:
        print("\n".join(maintain(run, options.dry_run).lines()))
    return 0


def _export_texts(options: argparse.Namespace) -> int:
    from reviewgen_spark.export import TextExport, export_texts
    from reviewgen_spark.runner import open_run
    from reviewgen_spark.text.purposes import PUBLISHABLE

    config = _config(options)
    purposes = tuple(options.purpose) or tuple(sorted(PUBLISHABLE))
    export = TextExport(options.out.resolve(), purposes, options.format, options.strip, options.reason)
    with _session(config) as spark, open_run(spark, config) as run:
        print("\n".join(export_texts(run, export).lines()))
    return 0


def _gallery(options: argparse.Namespace) -> int:
    from reviewgen_spark.gallery import read_gallery, read_metrics, render
    from reviewgen_spark.tables import Warehouse

    config = _config(options)
    metrics = read_metrics(options.metrics) if options.metrics else ()
    with _session(config) as spark:
        page = render(read_gallery(Warehouse(spark, config), options.rows), metrics)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print(f"{options.out}: open it in a browser; it holds review texts, as the tables do")
    return 0


def _ids(named: Sequence[str], file: str | None) -> frozenset[str]:
    """Identifiers from the command line and, one a line, from a file; empty lines are none."""
    if file is None:
        return frozenset(named)
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({type(error).__name__})") from None
    return frozenset(named) | {line for line in text.splitlines() if line}


def _evaluate(options: argparse.Namespace) -> int:
    from reviewgen_spark.file_evaluation import evaluate_file, write_json
    from reviewgen_spark.models.labelled_file import read_labelled_file

    config = _config(options)
    data = read_labelled_file(
        options.data,
        options.text,
        options.label,
        options.stars,
        options.slice,
        options.delimiter,
        not options.no_header,
    )
    found = evaluate_file(
        config, options.model, options.data, data, options.raw, lambda line: print(line, file=sys.stderr, flush=True)
    )
    print("\n".join(found.lines()))
    if options.json:
        write_json(found, options.json)
    return 0


def _write(options: argparse.Namespace) -> int:
    from reviewgen_spark.file_generation import write_file

    config = _config(options)
    writer = options.writer or config.generate.writer
    with ExitStack() as files:
        try:
            is_piped = options.requests == "-"
            lines = sys.stdin if is_piped else files.enter_context(Path(options.requests).open(encoding="utf-8-sig"))
            out = files.enter_context(options.out.open("w", encoding="utf-8")) if options.out else sys.stdout
        except OSError as error:
            raise ConfigError(f"{error.filename}: cannot be opened ({type(error).__name__})") from None
        write_file(config, writer, lines, out, lambda line: print(line, file=sys.stderr, flush=True))
    return 0


def _tune(options: argparse.Namespace) -> int:
    from reviewgen_spark.search import search_settings

    found = search_settings(_config(options), lambda line: print(line, flush=True))
    print(f"{found.finished} trials finished, {found.pruned} were cut short, {found.failed} failed")
    print(f"best validation F1 {found.value:.4f} with")
    for name, value in found.best.items():
        print(f"  --set finetune.{name}={value:g}")
    return 0


def _models_list(options: argparse.Namespace) -> int:
    from reviewgen_spark.models.registry import list_models

    config = _config(options)
    entries = list_models(config.paths.tracking_uri, config.models.name)
    if not entries:
        print("no model yet; train and register one with `reviewgen run train`")
    for entry in entries:
        f1 = "unknown" if entry.test_f1 is None else f"{entry.test_f1:.4f}"
        at = datetime.fromtimestamp(entry.created_ms / 1000, UTC)
        aliases = ", ".join(entry.aliases) or "-"
        base = f"{entry.base}, taught by {entry.teacher}" if entry.teacher else entry.base
        print(f"{entry.name} version {entry.version}  {aliases}  {base}  test F1 {f1}  {at:%Y-%m-%d %H:%M} UTC")
    return 0


def _promote(options: argparse.Namespace) -> int:
    return _set_champion(options, options.version, "reviewgen models promote", options.force)


def _rollback(options: argparse.Namespace) -> int:
    return _set_champion(options, None, "reviewgen models rollback")


def _compare(options: argparse.Namespace) -> int:
    from reviewgen_spark.comparison import compare_models

    config = _config(options)
    lines = compare_models(config, options.one, options.other, lambda line: print(line, file=sys.stderr, flush=True))
    print("\n".join(lines))
    return 0


def _model_page(options: argparse.Namespace) -> int:
    from reviewgen_spark.model_page import FILE_NAME
    from reviewgen_spark.models.registry import parse_reference, read_file

    config = _config(options)
    name, alias = parse_reference(options.model)
    page = read_file(name, alias, FILE_NAME, config.paths.tracking_uri)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print(f"{options.out}: open it in a browser")
    return 0


def _set_champion(options: argparse.Namespace, version: int | None, command: str, is_forced: bool = False) -> int:
    from reviewgen_spark.promotion import set_champion
    from reviewgen_spark.runner import open_run

    config = _config(options)
    with _session(config) as spark, open_run(spark, config) as run:
        decision = set_champion(run.warehouse, config, version, options.reason, command, is_forced)
    print(
        f"{decision.model.name} version {decision.model.version} is champion (before: {decision.previous_version}); "
        "`reviewgen run nightly` re-labels with it"
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    from reviewgen_spark.demo import run_demo

    config = _config(options)
    with _session(config) as spark:
        return run_demo(spark, config, options.rows)


if __name__ == "__main__":
    sys.exit(main())
