"""Writes the output tables of a stage. For a model stage it checks the share of errors first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ErrorShareError
from reviewgen_spark.orchestration.lease import Lease
from reviewgen_spark.orchestration.stage import Outputs, Stage
from reviewgen_spark.warehouse.tables import Warehouse, WriteResult


@dataclass(frozen=True)
class Publisher:
    """Writes the tables of one run while it holds the lease."""

    config: Config
    warehouse: Warehouse
    lease: Lease

    def publish(
        self, stage: Stage, fingerprints: Mapping[int | None, str], outputs: Outputs
    ) -> tuple[dict[int | None, dict[str, int]], dict[str, int]]:
        """Writes the tables of a stage in a fixed order. A rerun after a kill gives the same tables.

        Args:
            stage: The stage.
            fingerprints: Fingerprint of each batch; that of None for a table stage.
            outputs: The rows by table.

        Returns:
            Row counts by batch and table, and table versions by table. A model stage also counts its `errors`.

        Raises:
            ErrorShareError: When more rows ended in an error than `max_error_pct` allows.
        """
        if stage.scope == "batches":
            return self._publish_batches(stage, [batch for batch in fingerprints if batch is not None], outputs)
        ((batch, fingerprint),) = fingerprints.items()
        counts: dict[str, int] = {}
        versions: dict[str, int] = {}
        for name in stage.writes:
            if stage.max_error_pct is not None and name == stage.writes[0]:
                rows = outputs[name]
                assert isinstance(rows, DataFrame)  # a model stage persists its rows
                counts["errors"] = self._check_errors(stage, rows)
            self.lease.check()
            written = self._write(stage, name, outputs, batch, fingerprint)
            counts[name], versions[name] = written.row_count, written.version
            if batch is not None and name in self.config.tables.parquet_exports:
                self.warehouse.export_batch(name, batch)
        return {batch: counts}, versions

    def _publish_batches(
        self, stage: Stage, batches: Sequence[int], outputs: Outputs
    ) -> tuple[dict[int | None, dict[str, int]], dict[str, int]]:
        """Writes several batches of the tables of a stage, with one commit a table."""
        counts: dict[int | None, dict[str, int]] = {batch: {} for batch in batches}
        versions: dict[str, int] = {}
        for name in stage.writes:
            rows = outputs[name]
            assert isinstance(rows, DataFrame)  # workers write the files of one batch only
            self.lease.check()
            versions[name], row_counts = self.warehouse.replace_batches(name, rows, batches)
            for batch in batches:
                counts[batch][name] = row_counts.get(batch, 0)
                if name in self.config.tables.parquet_exports:
                    self.warehouse.export_batch(name, batch)
        return counts, versions

    def _write(self, stage: Stage, name: str, outputs: Outputs, batch: int | None, fingerprint: str) -> WriteResult:
        if batch is not None:
            if name not in outputs:
                return self.warehouse.clear_batch(name, batch)
            return self.warehouse.replace_batch(name, outputs[name], batch)
        if stage.mode == "by_fingerprint":
            return self.warehouse.replace_fingerprint(name, outputs[name], fingerprint)
        return self.warehouse.replace(name, outputs[name])

    def _check_errors(self, stage: Stage, rows: DataFrame) -> int:
        assert stage.max_error_pct is not None
        counted = rows.groupBy(F.col("error.class").alias("error_class")).count().collect()
        by_class = {row["error_class"]: row["count"] for row in counted}
        total = sum(by_class.values())
        errors = total - by_class.pop(None, 0)
        failures = {name: count for name, count in by_class.items() if name not in stage.expected_errors}
        limit = stage.max_error_pct(self.config)
        if total and 100 * sum(failures.values()) / total > limit:
            classes = ", ".join(f"{name} {count:,}" for name, count in sorted(failures.items()))
            raise ErrorShareError(
                f"{stage.name}: {sum(failures.values()):,} of {total:,}"
                f" rows ended in an error ({classes}), more than {limit:g} %; "
                f"nothing was published. Repair the cause, or raise {stage.name}.max_error_pct"
            )
        return int(errors)
