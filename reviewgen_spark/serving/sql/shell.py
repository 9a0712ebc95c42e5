"""Opens the Python prompt of `reviewgen shell`, with `spark`, `config`, the tables and the SQL functions."""

import code
import contextlib
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.sql_formatter import SQLStringFormatter

from reviewgen_spark.config import Config
from reviewgen_spark.config.messages import print_error, print_message
from reviewgen_spark.errors import ReviewgenError
from reviewgen_spark.serving.sql.catalog import register_tables
from reviewgen_spark.serving.sql.functions import FUNCTIONS, register_named
from reviewgen_spark.serving.sql.statement import check_statement, forbid_paths


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

    def write(self, data: str) -> None:
        """Prints the lines of an error as all other messages."""
        for line in data.splitlines():
            print_message(line)


def check_queries(spark: SparkSession, is_write: bool) -> None:
    """Makes `spark.sql` refuse what `reviewgen sql` refuses, against mistakes: Python itself can do anything."""
    run = spark.sql

    def sql(sqlQuery: str, args: Any = None, **values: Any) -> DataFrame:  # noqa: N803 - pyspark's name
        formatter = SQLStringFormatter(spark)
        query = formatter.format(sqlQuery, **values) if values else sqlQuery
        try:
            check_statement(spark, query, is_write)
            return run(query, args)
        finally:
            formatter.clear()

    forbid_paths(spark)
    spark.sql = sql  # type: ignore[method-assign]


def open_shell(spark: SparkSession, config: Config, is_write: bool = False) -> None:
    """Opens the Python prompt, and returns at the end of the input.

    Args:
        spark: The session of the prompt.
        config: The configuration of the prompt.
        is_write: Whether `spark.sql` may change rows; this process then holds the lease of the warehouse.
    """
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - history and editing of lines, where the platform has them

    names = register_tables(spark, config)
    banner = (
        f"spark and config are defined; tables and views: {', '.join(names)}; "
        f"functions on a text: {', '.join(FUNCTIONS)}"
    )
    check_queries(spark, is_write)
    Shell(spark, config).interact(banner, exitmsg="")
