"""Adds the commands that read tables: sql, shell."""

import argparse
from contextlib import ExitStack

from reviewgen_spark.cli.command import Commands, add_command, open_session, read_config


def add_commands(commands: Commands) -> None:
    """Adds the commands with their options."""
    sql = add_command(
        commands,
        "sql",
        _sql,
        "run a query on the tables, views and functions; a terminal cuts long values, a pipe gets them whole",
        """reviewgen sql "SELECT sentiment_label, count(*) FROM gold_review_labels GROUP BY 1"
reviewgen sql "SELECT reviewgen_sentiment('物流很快').label, reviewgen_tokens('物流很快')" --env demo
reviewgen sql "DELETE FROM gold_generated_texts WHERE purpose = 'augmentation'" --write""",
        "0 done, 2 wrong configuration, or a statement that is not available, 5 everything else",
    )
    sql.add_argument("query", metavar="QUERY", help="query in Spark SQL")
    sql.add_argument("--rows", type=int, default=50, help="rows to print (default 50)")
    sql.add_argument("--write", action="store_true", help=_WRITE_HELP)

    shell = add_command(
        commands,
        "shell",
        _shell,
        "open a Python prompt with `spark`, the tables, the views and the functions",
        "reviewgen shell --env demo",
    )
    shell.add_argument("--write", action="store_true", help=_WRITE_HELP)


_WRITE_HELP = "allow INSERT, DELETE, UPDATE, MERGE, OPTIMIZE, VACUUM and RESTORE; takes the lease of the warehouse"


def _sql(options: argparse.Namespace) -> int:
    from pyspark.errors import AnalysisException

    from reviewgen_spark.errors import SchemaError
    from reviewgen_spark.orchestration.runner import open_run
    from reviewgen_spark.serving.sql.catalog import register_tables
    from reviewgen_spark.serving.sql.functions import register_named
    from reviewgen_spark.serving.sql.query_result import print_result
    from reviewgen_spark.serving.sql.statement import check_statement, forbid_paths

    config = read_config(options)
    with open_session(config) as spark, ExitStack() as stack:
        try:
            check_statement(spark, options.query, options.write)
            if options.write:
                stack.enter_context(open_run(spark, config))
            register_tables(spark, config)
            register_named(spark, config, options.query)
            forbid_paths(spark)
            print_result(spark.sql(options.query), options.rows)
        except AnalysisException as error:
            message = f"the query does not fit the tables ({error.getCondition()}): {error.getMessage()}"
            raise SchemaError(*message.splitlines()) from None
    return 0


def _shell(options: argparse.Namespace) -> int:
    from reviewgen_spark.orchestration.runner import open_run
    from reviewgen_spark.serving.sql.shell import open_shell

    config = read_config(options)
    with open_session(config) as spark, ExitStack() as stack:
        if options.write:
            stack.enter_context(open_run(spark, config))
        open_shell(spark, config, options.write)
    return 0
