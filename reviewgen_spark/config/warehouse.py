"""Configures the paths of a warehouse, the Spark session, the lease, and the maintenance of tables."""

from typing import Literal

from pydantic import Field

from reviewgen_spark.config.section import Section


class PathsSection(Section):
    """Configures all paths. `config.load_config` makes them absolute.

    `root` and `artifacts` are folders that the driver and the executors can read and write. `landing`, `warehouse` and
    `exports` may also be URIs of Hadoop and Arrow, such as `s3a://` or `hdfs://`.
    """

    root: str = Field(
        description="folder of everything that a run writes; a relative one is below the folder that holds `conf`"
    )
    landing: str = Field("landing", description="folder or URI of delivered files; a relative one is below root")
    warehouse: str = Field("warehouse", description="folder or URI of the Delta tables")
    exports: str = Field("exports", description="folder or URI of the Parquet copies that tables.parquet_exports names")
    artifacts: str = Field(
        "artifacts", description="folder of files that stages write: corpora, models, reports, checkpoints"
    )
    jars: str = Field(".jars", description="folder of the Delta jars, from the folder that holds `conf`")
    mlflow_uri: str | None = Field(None, description="MLflow tracking URI; default: sqlite below root")
    permissions: Literal["private", "group"] = Field(
        "private",
        description="who may read new files: `private` only their owner (0600, folders 0700), `group` also the group "
        "of the file (0640, 0750)",
    )

    @property
    def tracking_uri(self) -> str:
        """Returns the MLflow tracking URI."""
        return self.mlflow_uri or f"sqlite:///{self.root}/mlflow/mlflow.db"

    @property
    def model_artifacts(self) -> str:
        """Returns the folder where MLflow keeps the files of runs and models."""
        return f"{self.root}/mlflow/artifacts"


class SparkSection(Section):
    """Configures the Spark session when `spark-submit` does not start it."""

    master: str = Field(
        "local[*,2]",
        description="Spark's master, not for spark-submit; with `,2` a task whose worker died is tried again",
    )
    driver_memory: str = Field("3g", description="heap of the driver's JVM, not for spark-submit")
    shuffle_partitions: int = Field(
        4, ge=1, description="tasks after a join or a grouping; two or three times the cores of the cluster"
    )
    arrow_max_rows: int = Field(4096, ge=1, description="rows of a batch that a Python worker gets at once")
    arrow_max_bytes: int = Field(
        16 * 2**20, ge=2**16, description="bytes of such a batch; limits the memory of a worker with very long texts"
    )
    log_level: Literal["OFF", "ERROR", "WARN", "INFO"] = Field(
        "OFF", description="Spark's own log; from ERROR on it may print review text of a failing row"
    )
    extra: dict[str, str] = Field(
        default_factory=dict, description="more settings of Spark by name; they replace those of this project"
    )


class LeaseSection(Section):
    """Configures the lease, which allows one writer at a time, in seconds."""

    heartbeat_s: float = Field(30, gt=0, description="seconds between two renewals of the lease")
    ttl_s: float = Field(
        180,
        gt=0,
        description="seconds without a renewal after which another run may take the lease; at least twice heartbeat_s",
    )


class TablesSection(Section):
    """Configures which tables are also exported as Parquet, and how long Delta keeps old versions."""

    parquet_exports: tuple[str, ...] = Field(
        (), description="review-level tables that are also written to paths.exports as plain Parquet, batch by batch"
    )
    retention_days: int = Field(
        30,
        ge=1,
        description="days for which earlier versions of tables, old log rows and unused artifacts are kept",
    )
