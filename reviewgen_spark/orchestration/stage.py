"""Defines a stage, a pure function from tables to tables, and the fingerprint that shows if its output is current."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from reviewgen_spark.config import Config

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

    from reviewgen_spark.schemas.arrow import ArrowRows

Outputs: TypeAlias = Mapping[str, "DataFrame | ArrowRows"]
Plan: TypeAlias = tuple[list[dict[str, Any]], list[str]]


@dataclass(frozen=True)
class Resources:
    """Holds models, keys and dictionaries of a stage: hashes for the fingerprint, and the value that `run` uses.

    `warnings` are printed once a run.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    value: Any = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """Holds all inputs of a stage's `run`.

    Attributes:
        tables: The input tables by name. A batch stage reads its own batch, and the batches with lower ids of tables in
            `history`. A table stage reads the finished batches at pinned versions, and its own tables in `history` as
            its last run left them. A stage of scope `batches` reads the finished ones of `batches`, and of tables in
            `history` all finished ones up to the last of them.
        config: The whole configuration. The fingerprint covers only the sections that the stage names.
        resources: The value that `Stage.resources` returned.
        artifacts: Folders that the stages in `uses` made.
        out: An empty folder for a stage that makes files. It is renamed to its final path when the stage succeeds.
        checkpoints: A folder for checkpoints, which a rerun with this fingerprint resumes from. It may not exist, and
            it is removed when the stage succeeds.
        fingerprint: The fingerprint of this run.
        batch_id: The batch of a stage of scope `batch`; else None.
        batches: The batches of this run, in ascending order; empty for a table stage.
        report: Prints a line of progress.
        sources: The source of each batch of bronze_reviews. The fingerprint of ingest covers it.
        fingerprints: The fingerprints of all inputs of a table stage, as `stage/batch`.
        read_through: A table stage with `history`: its last run read the same batches up to this one, with the same
            rules, and its own tables are as it left them. 0 if that is unknown.
    """

    tables: Mapping[str, "DataFrame"]
    config: Config
    resources: Any
    artifacts: Mapping[str, Path]
    out: Path
    checkpoints: Path
    fingerprint: str
    batch_id: int | None
    report: Callable[[str], None]
    sources: Mapping[int, str] = field(default_factory=dict)
    batches: tuple[int, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    read_through: int = 0

    def batches_of(self, stage: str) -> dict[int, str]:
        """Returns the finished batches of an input stage, with their fingerprints."""
        names = (name.partition("/") for name in self.fingerprints)
        return {int(batch): self.fingerprints[f"{stage}/{batch}"] for name, _, batch in names if name == stage}


@dataclass(frozen=True)
class Stage:
    """Declares one step of a pipeline. `jobs/<name>.py` holds it, and the section `<name>` configures it.

    Attributes:
        name: A noun or verb, the same everywhere.
        version: Raised by hand when changed code gives other rows for the same input.
        scope: `batch` for a stage that turns one batch into one batch, `table` for one that reads whole tables.
            `batches` is as `batch`, but all due batches run in one pass, because a pass costs more than its rows.
        reads: Tables it reads. It depends on the stages that write them.
        optional: Tables it reads if they are there, for scope `batches`. A batch does not wait for them, and is due
            again when they are finished.
        writes: Tables it writes, in this order.
        run: A pure function that returns the rows of each table in `writes`. A batch without rows for a table may
            leave that table out, which saves an empty write.
        sections: Sections of the configuration whose result fields shape its rows.
        history: Tables of which a batch reads the batches with lower ids, and its own if `reads` has them too. For a
            table stage: its own tables that it reads before it replaces them.
        uses: Stages whose files it reads (`Inputs.artifacts`).
        needs: Stages of scope `batches` that run before it, whatever the batches of the run. So a table stage never
            adds up a part of the facts.
        libraries: Python packages whose version shapes its rows.
        resources: Resolves models, keys and dictionaries, once a run, on the driver.
        mode: How the tables of a table stage are written. `replace` replaces the whole table. `by_fingerprint` replaces
            only the rows with this run's fingerprint, so a log keeps its rows and a rerun adds none twice.
        max_error_pct: Highest share of rows of the first table with `error`, in percent. Above it nothing is written.
            It is for model stages, which persist the predictions, because errors are counted before the write.
        expected_errors: Classes of `error` that are not a failure of the model, such as a review without text. They do
            not count towards `max_error_pct`.
        makes_files: Whether it fills `Inputs.out`.
        keeps_done: Whether a finished batch stays finished when the fingerprint changes. For ingest, because delivered
            files may have been deleted.
        newest_first: Whether the newest batches run first, at most `--max-batches` a run. For stages whose batches are
            all recomputed when the model changes. Not for a stage with its own tables in `history`.
        require: Raises MissingExtraError when the driver lacks a library that the configuration needs. It is called
            before Spark starts.
        plan: Finds new input, given the batches that are done. Returns the rows of ops_source_files that reserve it,
            and warnings; for ingest.
    """

    name: str
    version: int
    scope: Literal["batch", "batches", "table"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Inputs], Outputs]
    sections: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    needs: "tuple[Stage, ...]" = ()
    libraries: tuple[str, ...] = ()
    resources: Callable[[Config], Resources] = lambda config: Resources()
    mode: Literal["replace", "by_fingerprint"] = "replace"
    max_error_pct: Callable[[Config], float] | None = None
    expected_errors: tuple[str, ...] = ()
    makes_files: bool = False
    keeps_done: bool = False
    newest_first: bool = False
    require: Callable[[Config], None] = lambda config: None
    plan: "Callable[[SparkSession, Config, Sequence[Row], Collection[int]], Plan] | None" = None


def tables_of(stages: Iterable[Stage]) -> set[str]:
    """Returns the tables that stages read or write, those of the stages that they need included."""
    every = [one for stage in stages for one in (stage, *stage.needs)]
    return {name for stage in every for name in (*stage.reads, *stage.optional, *stage.history, *stage.writes)}


def fingerprint(stage: Stage, config: Config, resources: Resources, inputs: Mapping[str, str]) -> str:
    """Returns a hash of everything that shapes the rows of a stage, as 32 hex digits.

    Args:
        stage: Its name, version and library versions are hashed.
        config: The result fields of its sections are hashed.
        resources: Hashes of models, keys and dictionaries.
        inputs: Fingerprints of its inputs, by name.
    """
    content = {
        "stage": stage.name,
        "version": stage.version,
        "config": {name: getattr(config, name).result_part() for name in stage.sections},
        "assets": dict(resources.hashes),  # an old name: a new one would change every fingerprint
        "libraries": {name: _library_version(name) for name in stage.libraries},
        "inputs": dict(inputs),
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def hash_files(folder: Path) -> str:
    """Returns the sha256 of the names and bytes of all files in a folder, such as the dictionaries."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _library_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
