"""Opens the Python prompt of `reviewgen shell`, with `spark`, `config`, the tables and the SQL functions."""

import code
import contextlib

from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import print_error
from reviewgen_spark.errors import ReviewgenError
from reviewgen_spark.serving.sql.catalog import register_tables
from reviewgen_spark.serving.sql.functions import FUNCTIONS, register_named


class Shell(code.InteractiveConsole):
    """Registers a SQL function when a line first names it, because most sessions need no model."""

    def __init__(self, spark: SparkSession, config: Config) -> None:
        super().__init__({"spark": spark, "config": config})
        self._spark = spark
        self._config = config

    def runsource(self, source: str, filename: str = "<input>", symbol: str = "single") -> bool:
        """Runs the input; if a named function is not available, prints one line and runs nothing."""
        try:
            register_named(self._spark, self._config, source)
        except ReviewgenError as error:
            print_error(error)
            return False
        return super().runsource(source, filename, symbol)


def open_shell(spark: SparkSession, config: Config) -> None:
    """Opens the Python prompt, and returns at the end of the input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - history and editing of lines, where the platform has them

    names = register_tables(spark, config)
    banner = (
        f"spark and config are defined; tables and views: {', '.join(names)}; "
        f"functions on a text: {', '.join(FUNCTIONS)}"
    )
    Shell(spark, config).interact(banner, exitmsg="")
