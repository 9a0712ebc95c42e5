"""A stage: a pure function from tables to tables, and the fingerprint that says when its output is still right."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reviewgen_spark.config import Config

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession


@dataclass(frozen=True)
class Resources:
    """Models, keys and dictionaries of a stage: their hashes for the fingerprint, and what `run` needs of them.

    `warnings` are told once a run.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    value: Any = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What a stage's `run` gets; everything it may look at.

    Attributes:
        tables: By name. Of a review-level table a row stage sees its own batch, of one in `history` the batches
            with lower ids; a table stage sees the finished batches at pinned versions.
        config: The whole configuration; the fingerprint covers the sections that the stage names.
        resources: What `Stage.resources` returned.
        artifacts: Folders that the stages in `uses` made.
        out: An empty folder for a stage that makes files; published by a rename when the stage succeeds.
        checkpoints: A folder, perhaps not there yet, for what a rerun with this fingerprint goes on from; removed when
            the stage succeeds.
        fingerprint: Of this run.
        batch_id: The batch; None for a table stage.
        report: Prints a line of progress.
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


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline; `jobs/<name>.py` holds it, and the section `<name>` configures it.

    Attributes:
        name: Noun or verb that names it everywhere.
        version: Bumped by hand when its code gives other rows for the same input.
        scope: `batch` for a stage that turns one batch into one batch, `table` for one that reads whole tables.
        reads: Tables it reads, and by their writing stages what it depends on.
        writes: Tables it writes, in this order.
        run: The work; pure. Returns a DataFrame for each table in `writes`; a batch may leave out those for which it
            has no rows, which saves writing nothing.
        sections: Sections of the configuration whose result part shapes its rows.
        history: Tables of which a batch sees the batches with lower ids; its own too where `reads` names them.
        uses: Stages whose files (`Inputs.artifacts`) it reads.
        libraries: Distributions whose version shapes its rows.
        resources: Finds models, keys and dictionaries, once a run, on the driver.
        mode: How the tables of a table stage are written: replaced whole, or only the rows with this run's
            `fingerprint`, so that a log keeps its rows and a rerun adds none twice.
        max_error_pct: Share of rows of the first table with `error` above which nothing is published; for model
            stages, which persist what the model said: it is counted before it is written.
        expected_errors: Classes of `error` that are no failure of the model, such as a review without text; they
            do not count towards `max_error_pct`.
        makes_files: Whether it fills `Inputs.out`.
        keeps_done: Whether a finished batch stays finished when the fingerprint changes (ingest: the delivered
            files may be gone by then).
        newest_first: Whether waiting batches run from the newest down, at most `--max-batches` of them a run: for a
            stage that a new model makes do everything again. Not for one that has its own tables in `history`.
        require: Raises MissingExtraError when the driver lacks a library that the configuration asks for; called before
            Spark starts.
        plan: Finds new input and returns the rows of ops_source_files that reserve it; for ingest.
    """

    name: str
    version: int
    scope: Literal["batch", "table"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Inputs], Mapping[str, "DataFrame"]]
    sections: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    resources: Callable[[Config], Resources] = lambda config: Resources()
    mode: Literal["replace", "by_fingerprint"] = "replace"
    max_error_pct: Callable[[Config], float] | None = None
    expected_errors: tuple[str, ...] = ()
    makes_files: bool = False
    keeps_done: bool = False
    newest_first: bool = False
    require: Callable[[Config], None] = lambda config: None
    plan: "Callable[[SparkSession, Config, Sequence[Row]], list[dict[str, Any]]] | None" = None


def fingerprint(stage: Stage, config: Config, resources: Resources, inputs: Mapping[str, str]) -> str:
    """Hash everything that shapes the rows of a stage: 32 hex digits.

    Args:
        stage: Its name, version and library versions enter.
        config: The result part of its sections enters.
        resources: Hashes of models, keys and dictionaries.
        inputs: Fingerprints of what it reads, by name.
    """
    content = {
        "stage": stage.name,
        "version": stage.version,
        "config": {name: getattr(config, name).result_part() for name in stage.sections},
        "assets": dict(resources.hashes),  # the earlier name: another one would compute every table again
        "libraries": {name: _library_version(name) for name in stage.libraries},
        "inputs": dict(inputs),
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def hash_files(folder: Path) -> str:
    """sha256 over the names and bytes of every file in a folder, for the hash of a set of dictionaries."""
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
