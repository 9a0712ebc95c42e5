"""Models outside a pipeline: evaluate, tune, models."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from reviewgen_spark.cli.command import Commands, add_command, open_session, read_config, tell_progress


def add_commands(commands: Commands) -> None:
    """Add the commands with their options."""
    evaluate = add_command(
        commands, "evaluate", _evaluate, "score a registered model on a labelled CSV, TSV or JSON-lines file"
    )
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

    add_command(
        commands, "tune", _tune, "search for the settings of fine-tuning on the newest corpus; goes on when run again"
    )

    models = commands.add_parser("models", help="list, look at, promote and roll back registered models")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    add_command(actions, "list", _models_list, "list every version, newest first")
    promote = add_command(actions, "promote", _promote, "make VERSION champion; the next night re-labels with it")
    promote.add_argument("version", type=int, metavar="VERSION")
    promote.add_argument("--reason", required=True, help="why; kept in ops_model_promotions")
    promote.add_argument("--force", action="store_true", help="past the gate, which the table then says")
    compare = add_command(
        actions, "compare", _compare, "ask the gate about two versions, and count the labels that would flip"
    )
    compare.add_argument("one", metavar="ONE", help="alias or version that would come")
    compare.add_argument(
        "other", metavar="OTHER", nargs="?", default="champion", help="that would go (default champion)"
    )
    page = add_command(actions, "page", _model_page, "fetch the page of a registered model: curves, slices, robustness")
    page.add_argument("model", metavar="NAME@ALIAS", help="or NAME@VERSION")
    page.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    rollback = add_command(actions, "rollback", _rollback, "make the version champion that was it before")
    rollback.add_argument("--reason", required=True, help="why; kept in ops_model_promotions")


def _evaluate(options: argparse.Namespace) -> int:
    from reviewgen_spark.file_evaluation import evaluate_file, write_json
    from reviewgen_spark.models.labelled_file import read_labelled_file

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
    found = evaluate_file(config, options.model, options.data, data, options.raw, tell_progress)
    print("\n".join(found.lines()))
    if options.json:
        write_json(found, options.json)
    return 0


def _tune(options: argparse.Namespace) -> int:
    from reviewgen_spark.search import search_settings

    found = search_settings(read_config(options), lambda line: print(line, flush=True))
    print(f"{found.finished} trials finished, {found.pruned} were cut short, {found.failed} failed")
    print(f"best validation F1 {found.value:.4f} with")
    for name, value in found.best.items():
        print(f"  --set finetune.{name}={value:g}")
    return 0


def _models_list(options: argparse.Namespace) -> int:
    from reviewgen_spark.models.registry import list_models

    config = read_config(options)
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


def _compare(options: argparse.Namespace) -> int:
    from reviewgen_spark.comparison import compare_models

    config = read_config(options)
    lines = compare_models(config, options.one, options.other, tell_progress)
    print("\n".join(lines))
    return 0


def _model_page(options: argparse.Namespace) -> int:
    from reviewgen_spark.model_page import FILE_NAME
    from reviewgen_spark.models.registry import parse_reference, read_file

    config = read_config(options)
    name, alias = parse_reference(options.model)
    page = read_file(name, alias, FILE_NAME, config.paths.tracking_uri)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page, encoding="utf-8")
    print(f"{options.out}: open it in a browser")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    return _set_champion(options, None, "reviewgen models rollback")


def _set_champion(options: argparse.Namespace, version: int | None, command: str, is_forced: bool = False) -> int:
    from reviewgen_spark.promotion import set_champion
    from reviewgen_spark.runner import open_run

    config = read_config(options)
    with open_session(config) as spark, open_run(spark, config) as run:
        decision = set_champion(run.warehouse, config, version, options.reason, command, is_forced)
    print(
        f"{decision.model.name} version {decision.model.version} is champion (before: {decision.previous_version}); "
        "`reviewgen run nightly` re-labels with it"
    )
    return 0
