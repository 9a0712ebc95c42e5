"""Adds the commands about models outside a pipeline: evaluate, tune, models."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from reviewgen_spark.cli.command import Commands, add_command, add_group, open_session, read_config
from reviewgen_spark.config.messages import print_line, print_message


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    evaluate = add_command(
        commands,
        "evaluate",
        _evaluate,
        "score a registered model on a labelled CSV, TSV or JSON-lines file",
        "reviewgen evaluate --model review_sentiment@champion --data labelled.csv --text review --label label",
        "0 done, 2 wrong configuration, 3 the file has no usable labels, 5 everything else",
    )
    evaluate.add_argument("--model", required=True, metavar="NAME@ALIAS", help="registered model, or NAME@VERSION")
    evaluate.add_argument(
        "--data", type=Path, required=True, metavar="FILE", help="labelled file: .csv, .tsv or .jsonl, also with .gz"
    )
    evaluate.add_argument("--text", required=True, metavar="COLUMN", help="column with the text")
    evaluate.add_argument(
        "--label", required=True, metavar="COLUMN", help="column with the label: 0 or 1, positive, 差评, …"
    )
    evaluate.add_argument("--stars", action="store_true", help="labels are 1 to 5 stars; rows with 3 are left out")
    evaluate.add_argument("--slice", metavar="COLUMN", help="also print scores for each value of this column")
    evaluate.add_argument("--delimiter", help="delimiter of the file, if its name does not show it")
    evaluate.add_argument("--no-header", action="store_true", help="the file has no header; columns are numbers from 0")
    evaluate.add_argument("--raw", action="store_true", help="do not clean the texts before scoring")
    evaluate.add_argument("--json", type=Path, metavar="OUT", help="JSON file to write all figures to")

    add_command(
        commands,
        "tune",
        _tune,
        "search for good settings of fine-tuning on the newest corpus; a second run resumes the search",
        "reviewgen tune",
        "0 done, 2 wrong configuration, 3 the corpus has too few rows, 5 everything else",
    )

    actions = add_group(commands, "models", "list, compare, promote and roll back registered models", "ACTION")
    add_command(actions, "list", _models_list, "list every version, newest first", "reviewgen models list")
    promote = add_command(
        actions,
        "promote",
        _promote,
        "make VERSION the champion; the next nightly run labels again with it",
        'reviewgen models promote 3 --reason "better on short reviews"',
        "0 done, 2 wrong configuration, 3 the gate refused the version, 5 everything else",
    )
    promote.add_argument("version", type=int, metavar="VERSION", help="number of the version")
    promote.add_argument("--reason", required=True, help="the reason; ops_model_promotions keeps it")
    promote.add_argument("--force", action="store_true", help="skip the gate; ops_model_promotions records it")
    compare = add_command(
        actions,
        "compare",
        _compare,
        "run the promotion gate on two versions, and count the labels that would change",
        "reviewgen models compare candidate",
        "0 done, 2 wrong configuration, 3 the corpus has too few rows, 5 everything else",
    )
    compare.add_argument("new", metavar="NEW", help="alias or version of the new model")
    compare.add_argument(
        "current",
        metavar="CURRENT",
        nargs="?",
        default="champion",
        help="alias or version of the model that it would replace (default champion)",
    )
    page = add_command(
        actions,
        "page",
        _model_page,
        "write the HTML page of a registered model: curves, slices, robustness",
        "reviewgen models page review_sentiment@champion --out model.html",
    )
    page.add_argument("model", metavar="NAME@ALIAS", help="registered model, or NAME@VERSION")
    page.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    rollback = add_command(
        actions,
        "rollback",
        _rollback,
        "make the previous champion the champion again",
        'reviewgen models rollback --reason "more false positives since Monday"',
    )
    rollback.add_argument("--reason", required=True, help="the reason; ops_model_promotions keeps it")


def _evaluate(options: argparse.Namespace) -> int:
    from reviewgen_spark.models.data.labelled_file import read_labelled_file
    from reviewgen_spark.operations.evaluate_file import evaluate_file, write_json

    config = read_config(options)
    data = read_labelled_file(
        options.data,
        options.text,
        options.label,
        options.stars,
        options.slice,
        options.delimiter,
        not options.no_header,
    )
    evaluation = evaluate_file(config, options.model, options.data, data, options.raw, print_message)
    for line in evaluation.lines():
        print_line(line)
    if options.json:
        write_json(evaluation, options.json)
    return 0


def _tune(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.tune import search_settings

    search = search_settings(read_config(options), print_line)
    print_line(f"{search.finished} trials finished, {search.pruned} were pruned, {search.failed} failed")
    print_line(f"best validation F1 {search.value:.4f} with")
    for name, value in search.best.items():
        print_line(f"  --set finetune.{name}={value:g}")
    return 0


def _models_list(options: argparse.Namespace) -> int:
    from reviewgen_spark.models.registry.mlflow_store import has_store
    from reviewgen_spark.models.registry.registry import list_models

    config = read_config(options)
    uri = config.paths.tracking_uri
    is_new = config.paths.mlflow_uri is None and not has_store(uri)
    entries = [] if is_new else list_models(uri, config.models.name)
    if not entries:
        print_line("no model yet; train and register one with `reviewgen run train`")
    for entry in entries:
        f1 = "unknown" if entry.test_f1 is None else f"{entry.test_f1:.4f}"
        created = datetime.fromtimestamp(entry.created_ms / 1000, UTC)
        aliases = ", ".join(entry.aliases) or "-"
        base = f"{entry.base}, distilled from {entry.teacher}" if entry.teacher else entry.base
        print_line(
            f"{entry.name} version {entry.version}  {aliases}  {base}  test F1 {f1}  {created:%Y-%m-%d %H:%M} UTC"
        )
    return 0


def _promote(options: argparse.Namespace) -> int:
    return _set_champion(options, options.version, "reviewgen models promote", options.force)


def _compare(options: argparse.Namespace) -> int:
    from reviewgen_spark.operations.model_comparison import compare_models

    config = read_config(options)
    lines = compare_models(config, options.new, options.current, print_message)
    for line in lines:
        print_line(line)
    return 0


def _model_page(options: argparse.Namespace) -> int:
    from reviewgen_spark.models.registry.registry import parse_reference, read_file
    from reviewgen_spark.reports.model_page import FILE_NAME

    config = read_config(options)
    name, alias = parse_reference(options.model)
    page = read_file(name, alias, FILE_NAME, config.paths.tracking_uri)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print_line(f"{options.out}: open it in a browser")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    return _set_champion(options, None, "reviewgen models rollback")


def _set_champion(options: argparse.Namespace, version: int | None, command: str, is_forced: bool = False) -> int:
    from reviewgen_spark.operations.promotion import set_champion
    from reviewgen_spark.orchestration.runner import open_run

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        decision = set_champion(run.warehouse, config, version, options.reason, command, is_forced)
    print_line(
        f"{decision.model.name} version {decision.model.version} is champion (before: {decision.previous_version}); "
        "`reviewgen run nightly` re-labels with it"
    )
    return 0
