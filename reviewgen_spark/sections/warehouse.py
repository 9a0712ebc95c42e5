"""Where a warehouse lies, and what every run on it needs: Spark, the lease of its one writer, upkeep of its tables."""

from typing import Literal

from pydantic import Field

from reviewgen_spark.sections.section import Section


class PathsSection(Section):
    """Where everything lies; absolute once loaded (see `config.load_config`).

    `root` and `artifacts` are folders of a file system that the driver and the executors see; `landing`,
    `warehouse` and `exports` may also be URIs that Hadoop and Arrow know, such as `s3a://` or `hdfs://`.
    """

    root: str
    landing: str = "landing"
    warehouse: str = "warehouse"
    exports: str = "exports"
    artifacts: str = "artifacts"
    jars: str = Field(".jars", description="folder of the Delta jars, from the folder that holds `conf`")
    mlflow_uri: str | None = Field(None, description="MLflow tracking URI; default: sqlite below root")

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking URI."""
        return self.mlflow_uri or f"sqlite:///{self.root}/mlflow/mlflow.db"

    @property
    def model_artifacts(self) -> str:
        """Where MLflow keeps the files of runs and models."""
        return f"{self.root}/mlflow/artifacts"


class SparkSection(Section):
    """How a session is started when it is not `spark-submit` that starts it."""

    master: str = "local[*,2]"  # as on a cluster, a task whose worker died is tried again
    driver_memory: str = "3g"
    shuffle_partitions: int = Field(4, ge=1)
    arrow_max_rows: int = Field(4096, ge=1)
    arrow_max_bytes: int = Field(16 * 2**20, ge=2**16)
    log_level: Literal["OFF", "ERROR", "WARN", "INFO"] = Field(
        "OFF", description="Spark's own log; from ERROR on it may print review text of a failing row"
    )
    extra: dict[str, str] = Field(default_factory=dict)


class LeaseSection(Section):
    """The one-writer lease of a warehouse, in seconds."""

    heartbeat_s: float = Field(30, gt=0)
    ttl_s: float = Field(180, gt=0)


class TablesSection(Section):
    """Which tables are exported as Parquet too, and how long Delta keeps the history that pins refer to."""

    parquet_exports: tuple[str, ...] = ()
    retention_days: int = Field(30, ge=1)
