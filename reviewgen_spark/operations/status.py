"""Reports the state of a warehouse by stage and quality rule, and records decisions about refused files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import functions as F

from reviewgen_spark.config import QualityRule
from reviewgen_spark.errors import ConfigError, ModelNotFoundError, RegistryError, SchemaError
from reviewgen_spark.orchestration.backlog import Backlog
from reviewgen_spark.orchestration.ledger import Ledger
from reviewgen_spark.orchestration.source_file_log import record_source_files
from reviewgen_spark.orchestration.stage import Stage
from reviewgen_spark.warehouse.tables import Warehouse


def stage_lines(ledger: Ledger, stages: Sequence[Stage]) -> list[str]:
    """Returns one line for each stage: its progress, its rows and the time it last ended."""
    width = max(len(stage.name) for stage in stages) + 2
    lines = [f"{'stage':<{width}}{'state':<34}{'rows':>12}  last end (UTC)"]
    for stage in stages:
        last = ledger.last(stage.name, None)
        if stage.scope == "table":
            state = last.state if last else "never ran"
            rows = sum(last.counts.get(name, 0) for name in stage.writes) if last else 0
            at = f"{last.at:%Y-%m-%d %H:%M:%S}" if last else ""
        else:
            done = ledger.done(stage.name)
            open_batches = ledger.unfinished(stage.name)
            state = f"{len(done):,} batches done" + (f", {len(open_batches):,} open" if open_batches else "")
            runs = [run for batch in done if (run := ledger.last(stage.name, batch))]
            rows = sum(run.counts.get(stage.writes[0], 0) for run in runs)
            at = f"{max(run.at for run in runs):%Y-%m-%d %H:%M:%S}" if runs else ""
        lines.append(f"{stage.name:<{width}}{state:<34}{rows:>12,}  {at}")
    return lines


def backfill_lines(backlog: Backlog, stages: Sequence[Stage]) -> list[str]:
    """Returns one line for each stage that recomputes old batches, such as label with a new champion.

    The remaining time is estimated from the time per row of finished batches. The rows of a waiting batch are those
    that the stage wrote for it before.
    """
    lines = []
    for stage in stages:
        if not stage.newest_first:
            continue
        try:
            pending = backlog.pending(stage)
        except (ModelNotFoundError, RegistryError) as error:
            lines.append(f"{stage.name}: {error}")
            continue
        outdated = [batch for batch in pending if backlog.ledger.last(stage.name, batch) is not None]
        if not outdated:
            continue
        current = [batch for batch in backlog.ledger.done(stage.name) if batch not in pending]
        done, waiting = _work(backlog.ledger, stage, current), _work(backlog.ledger, stage, outdated)
        left = f"about {_duration(waiting.rows * done.seconds / done.rows)} left" if done.rows else "no batch done yet"
        lines.append(
            f"{stage.name}: {len(current):,} of {len(current) + len(pending):,} batches are up to date, the newest "
            f"first; {len(outdated):,} still have earlier results; {left}"
        )
    return lines


@dataclass(frozen=True)
class _Work:
    """Holds the rows and seconds of finished batches."""

    rows: int
    seconds: float


def _work(ledger: Ledger, stage: Stage, batches: Sequence[int]) -> _Work:
    """Sums the rows and seconds of the last run of each batch."""
    runs = [run for batch in batches if (run := ledger.last(stage.name, batch))]
    return _Work(sum(run.counts.get(stage.writes[0], 0) for run in runs), sum(run.seconds or 0.0 for run in runs))


def _duration(seconds: float) -> str:
    """Formats a duration, such as 2 h 5 min.

    >>> _duration(7500), _duration(130), _duration(4)
    ('2 h 5 min', '2 min', '4 s')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def quality_lines(
    warehouse: Warehouse, rules: Mapping[str, QualityRule], batches: tuple[int, int] | None = None
) -> list[str]:
    """Returns one line for each rule, with its number of matched reviews and its reason, for `reviewgen quality`."""
    for name in ("ops_clean_metrics", "ops_stage_runs"):
        if not warehouse.exists(name):
            raise SchemaError(
                f"{name}: no such table yet, because no batch was cleaned; start with `reviewgen run nightly`"
            )
    metrics = warehouse.read("ops_clean_metrics").where("kind_code IN ('error', 'warning')")
    runs = warehouse.records("ops_stage_runs").read()
    if batches:
        metrics = metrics.where(F.col("batch_id").between(*batches))
        runs = [row for row in runs if batches[0] <= (row.batch_id or 0) <= batches[1]]
    cleaned = {row.batch_id: row.counts for row in runs if row.stage == "clean" and row.state == "succeeded"}
    total = sum(counts["silver_reviews"] + counts["silver_reviews_quarantine"] for counts in cleaned.values())
    matches = {row["name"]: row["n"] for row in metrics.groupBy("name").agg(F.sum("review_count").alias("n")).collect()}
    lines = [f"{'rule':<24}{'severity':<10}{'reviews':>12}{'share':>10}  reason"]
    for name, rule in sorted(rules.items(), key=lambda item: (item[1].severity, item[0])):
        count = matches.pop(name, 0)
        share = f"{100 * count / total:.2f} %" if total else "-"
        lines.append(f"{name:<24}{rule.severity:<10}{count:>12,}{share:>10}  {rule.reason}")
    # The other rules were removed since; the next run cleans their batches again.
    lines += [f"{name:<24}{'removed':<10}{count:>12,}" for name, count in sorted(matches.items())]
    return [*lines, f"{total:,} reviews"]


def decide_file(warehouse: Warehouse, path: str, decision: str) -> None:
    """Records the decision about a file that was refused as a whole.

    Args:
        warehouse: Warehouse; this process must hold its lease.
        path: Path of the file in ops_source_files.
        decision: `accept` or `retry`.

    Raises:
        ConfigError: No such file was refused, or nothing of it can be read.
    """
    known = warehouse.records("ops_source_files").read()
    last = {row.path: row for row in known}
    if path not in last or last[path].state != "rejected":
        refused = sorted(name for name, row in last.items() if row.state == "rejected")
        raise ConfigError(f"{path}: no such file was refused; the refused files are: {', '.join(refused) or 'none'}")
    if decision == "accept" and not last[path].row_count:
        raise ConfigError(
            f"{path}: nothing of it can be read ({last[path].detail}), so it cannot be accepted. Correct it and run "
            "`reviewgen ingest retry`, or remove it from the landing folder"
        )
    state = {"accept": "accepted", "retry": "retry"}[decision]
    row = last[path].asDict() | {"state": state, "batch_id": None, "first_row": None, "last_row": None}
    record_source_files(warehouse, known, [row])
