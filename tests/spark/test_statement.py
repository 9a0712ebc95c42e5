"""`reviewgen sql` and `shell` read only: what the plan of a statement shows, and what a hostile one could do."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.serving.sql.catalog import register_tables
from reviewgen_spark.serving.sql.shell import check_queries
from reviewgen_spark.serving.sql.statement import WRITES, check_statement, forbid_paths
from reviewgen_spark.warehouse.tables import Warehouse

READS = [
    "SELECT 1;",
    "TABLE ops_leases",
    "SELECT name, count(*) AS n FROM ops_leases WHERE owner = '' GROUP BY 1 HAVING n > 0 ORDER BY 2 LIMIT 3 OFFSET 1",
    "SELECT * FROM spark_catalog.default.ops_leases VERSION AS OF 0",
    "SELECT * FROM DEFAULT.OPS_LEASES",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM a JOIN b USING (x) WHERE x IN (SELECT x FROM a)",
    "SELECT explode(array(1, 2)), x.* FROM (SELECT named_struct('a', 1) AS x)",
    "SELECT * FROM VALUES (1, 'a'), (2, 'b') AS t(x, y)",
    "SELECT * FROM range(3) LATERAL VIEW explode(array(id)) e AS i",
    "SELECT id, row_number() OVER w FROM range(3) WINDOW w AS (ORDER BY id)",
    "SELECT * FROM range(3) a, LATERAL (SELECT a.id + 1 AS b) UNION ALL SELECT 1, 2 EXCEPT SELECT 3, 4",
    "SELECT * FROM (SELECT 1 AS k, 'a' AS c, 2 AS v) PIVOT (sum(v) FOR c IN ('a', 'b'))",
    "SELECT * FROM (SELECT 1 AS a, 2 AS b) UNPIVOT (v FOR k IN (a, b))",
    "SELECT /*+ BROADCAST(a) */ a.* FROM ops_leases TABLESAMPLE (100 PERCENT) a JOIN range(2) b ON b.id = 1",
    "SELECT transform(array(1), x -> x + 1), (SELECT max(id) FROM range(3)), EXISTS (SELECT 1)",
    "FROM range(3) |> WHERE id > 1 |> AGGREGATE count(*) AS n",
    "SELECT * FROM range(4) DISTRIBUTE BY id",
    "SHOW TABLES",
    "SHOW COLUMNS IN ops_leases",
    "SHOW FUNCTIONS LIKE 'reviewgen*'",
    "DESCRIBE ops_leases",
    "DESCRIBE ops_leases owner",
    "DESCRIBE HISTORY ops_leases",
    "DESCRIBE DETAIL ops_leases",
    "DESCRIBE QUERY SELECT * FROM ops_leases",
    "DESCRIBE FUNCTION upper",
    "EXPLAIN EXTENDED SELECT * FROM ops_leases",
]
CHANGES = {
    "INSERT": "INSERT INTO ops_leases (name, owner, expires_at) VALUES ('x', '', current_timestamp())",
    "DELETE": "DELETE FROM ops_leases WHERE name = 'x'",
    "UPDATE": "UPDATE ops_leases SET host = 'h' WHERE name = 'x'",
    "MERGE": "MERGE INTO ops_leases a USING (SELECT 'x' AS name) b ON a.name = b.name WHEN MATCHED THEN DELETE",
    "OPTIMIZE": "OPTIMIZE ops_leases",
    "VACUUM": "VACUUM ops_leases DRY RUN",
    "RESTORE": "RESTORE TABLE ops_leases TO VERSION AS OF 0",
}
# {secret} is a file outside the warehouse, {delta} a table outside it, {out} a folder that must not appear.
ATTACKS = [
    # paths as tables
    "SELECT * FROM text.`{secret}`",
    "SELECT * FROM TEXT.`file://{secret}`",
    "SELECT * FROM csv.`{secret}` WHERE `hunter2` = 1",
    "SELECT * FROM json.`{secret}`",
    "SELECT * FROM binaryFile.`{secret}`",
    "SELECT * FROM parquet.`{delta}`",
    "SELECT * FROM delta.`{delta}`",
    "SELECT * FROM `{secret}`.`text`",
    "SELECT * FROM org.apache.spark.sql.text.`{secret}`",
    "SELECT * FROM `org.apache.spark.sql.execution.datasources.text.TextFileFormat`.`{secret}`",
    "SELECT * FROM spark_catalog.text.`{secret}`",
    "SELECT * FROM delta.`{delta}` VERSION AS OF 0",
    "SELECT * FROM delta.`{delta}@v0`",
    "WITH x AS (SELECT * FROM text.`{secret}`) SELECT * FROM x",
    "SELECT 1 WHERE 'a' IN (SELECT value FROM text.`{secret}`)",
    "SELECT (SELECT max(value) FROM text.`{secret}`)",
    "SELECT transform(array(1), x -> (SELECT max(value) FROM text.`{secret}`))",
    "SELECT * FROM range(1) a, LATERAL (SELECT * FROM text.`{secret}`)",
    "SELECT * FROM range(1) ORDER BY (SELECT max(value) FROM text.`{secret}`)",
    "TABLE text.`{secret}`",
    "SELECT * FROM ops_leases WITH (path = '{secret}')",
    "SELECT * FROM IDENTIFIER('text.`{secret}`')",
    "SELECT * FROM IDENTIFIER('te' || 'xt.`{secret}`')",
    "SELECT * FROM table_changes_by_path('{delta}', 0)",
    "SELECT * FROM table_changes('delta.`{delta}`', 0)",
    "SELECT * FROM STREAM text.`{secret}`",
    "DESCRIBE text.`{secret}`",
    "DESCRIBE HISTORY '{delta}'",
    "DESCRIBE HISTORY delta.`{delta}`",
    "DESCRIBE DETAIL '{delta}'",
    "SHOW CREATE TABLE delta.`{delta}`",
    "DESCRIBE QUERY SELECT * FROM text.`{secret}`",
    "EXPLAIN SELECT * FROM csv.`{secret}`",
    "EXPLAIN FORMATTED WITH x AS (SELECT * FROM text.`{secret}`) SELECT * FROM x",
    # Java and programs
    "SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT `ReFlect`('java.nio.file.Files', 'readString', '{secret}')",
    "SELECT java_method('java.lang.System', 'exit', 0)",
    "SELECT try_reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT system.builtin.reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT IDENTIFIER('reflect')('java.lang.System', 'getProperty', 'user.home')",
    "SELECT 1 ORDER BY reflect('java.lang.System', 'getProperty', 'user.home')",
    "SELECT count(*) FROM range(1) GROUP BY upper(concat('a', reflect('java.lang.System', 'getenv', 'PATH')))",
    "SELECT sum(1) OVER (PARTITION BY reflect('java.lang.System', 'getenv', 'PATH'))",
    "SELECT * FROM VALUES (reflect('java.lang.System', 'getenv', 'PATH'))",
    "SELECT * FROM range(1) a JOIN range(1) b ON reflect('java.lang.System', 'getenv', 'PATH') = 'x'",
    "SELECT * FROM explode(array(reflect('java.lang.System', 'getenv', 'PATH')))",
    "SELECT * FROM range(1) LATERAL VIEW explode(array(reflect('java.lang.System', 'getenv', 'PATH'))) e AS x",
    "SELECT * FROM ops_leases TIMESTAMP AS OF reflect('java.lang.System', 'getenv', 'PATH')",
    "FROM range(1) |> SELECT reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT TRANSFORM(id) USING 'cat {secret}' AS x FROM range(1)",
    "FROM range(1) MAP id USING 'touch {out}' AS x",
    # changes of files, tables, settings and the session
    "INSERT OVERWRITE DIRECTORY '{out}' USING csv SELECT 1",
    "INSERT OVERWRITE LOCAL DIRECTORY '{out}' USING csv SELECT 1",
    "INSERT INTO delta.`{out}` SELECT 1",
    "INSERT INTO IDENTIFIER('delta.`{out}`') SELECT 1",
    "INSERT OVERWRITE delta.`{out}` SELECT 1",
    "INSERT INTO delta.`{out}` REPLACE WHERE true SELECT 1",
    "FROM range(1) INSERT INTO delta.`{out}` SELECT id INSERT INTO ops_leases SELECT id",
    "DELETE FROM delta.`{delta}`",
    "UPDATE delta.`{delta}` SET id = 1",
    "MERGE INTO delta.`{delta}` a USING (SELECT 1 AS id) b ON a.id = b.id WHEN MATCHED THEN DELETE",
    "INSERT INTO ops_leases SELECT value, '', now(), null, null, null, null FROM text.`{secret}`",
    "OPTIMIZE '{delta}'",
    "VACUUM '{delta}' RETAIN 0 HOURS",
    "VACUUM delta.`{delta}`",
    "RESTORE TABLE delta.`{delta}` TO VERSION AS OF 0",
    "CREATE TABLE stolen USING text LOCATION '{secret}'",
    "CREATE TABLE t USING csv OPTIONS (path '{out}') AS SELECT 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE TABLE IDENTIFIER('t') AS SELECT 1",
    "CREATE TABLE delta.`{out}` SHALLOW CLONE delta.`{delta}`",
    "CREATE TEMPORARY VIEW v USING csv OPTIONS (path '{secret}')",
    "CREATE TEMPORARY VIEW ops_leases AS SELECT 1",
    "CREATE TEMPORARY FUNCTION f AS 'x.Y' USING JAR '{secret}'",
    "CREATE TEMPORARY FUNCTION f() RETURNS STRING RETURN reflect('java.lang.System', 'getenv', 'PATH')",
    "CREATE DATABASE d LOCATION '{out}'",
    "DROP TABLE ops_leases",
    "DROP VIEW IDENTIFIER('v')",
    "TRUNCATE TABLE ops_leases",
    "ALTER TABLE ops_leases SET LOCATION '{out}'",
    "ALTER TABLE ops_leases ADD COLUMN x INT",
    "LOAD DATA LOCAL INPATH '{secret}' INTO TABLE ops_leases",
    "CONVERT TO DELTA parquet.`{delta}`",
    "GENERATE symlink_format_manifest FOR TABLE ops_leases",
    "REORG TABLE ops_leases APPLY (PURGE)",
    "ADD JAR '{secret}'",
    "ADD FILE '{secret}'",
    "LIST FILES",
    "SET spark.sql.runSQLOnFiles=true",
    "SET spark.databricks.delta.retentionDurationCheck.enabled=false",
    "SET",
    "RESET",
    "SET TIME ZONE 'UTC'",
    "SET VAR x = 1",
    "DECLARE VARIABLE x STRING DEFAULT reflect('java.lang.System', 'getenv', 'PATH')",
    "USE SCHEMA d",
    "CACHE TABLE c AS SELECT * FROM text.`{secret}`",
    "ANALYZE TABLE ops_leases COMPUTE STATISTICS",
    "REFRESH TABLE ops_leases",
    "MSCK REPAIR TABLE ops_leases",
    "CALL system.x()",
    "EXECUTE IMMEDIATE 'DELETE FROM ops_leases'",
    "BEGIN DELETE FROM ops_leases; SELECT 1; END",
    "EXPLAIN CREATE TABLE t AS SELECT 1",
    "EXPLAIN ADD JAR '{secret}'",
    "COMMENT ON TABLE ops_leases IS 'x'",
]


@pytest.fixture
def session(spark: SparkSession, config: Config) -> Iterator[SparkSession]:
    Warehouse(spark, config).converge(["ops_leases"])
    spark.sql("DROP TABLE IF EXISTS ops_leases")
    forbid_paths(spark)
    register_tables(spark, config)
    yield spark
    spark.conf.unset("spark.sql.runSQLOnFiles")
    spark.sql("DROP TABLE IF EXISTS ops_leases")


def filled(query: str, tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("hunter2\n")
    return query.format(secret=tmp_path / "secret", delta=tmp_path / "other", out=tmp_path / "out")


def test_reads_are_allowed_and_run(session: SparkSession) -> None:
    for query in READS:
        check_statement(session, query)
        session.sql(query).collect()


def test_changes_need_write(session: SparkSession) -> None:
    assert sorted(CHANGES) == sorted(WRITES.values())
    for name, query in CHANGES.items():
        for statement in (query, f"EXPLAIN {query}"):
            if name in ("OPTIMIZE", "VACUUM", "RESTORE") and statement != query:
                continue  # Delta does not explain them
            with pytest.raises(ConfigError, match=f"{name} changes tables; run `reviewgen sql --write`"):
                check_statement(session, statement)
        check_statement(session, query, is_write=True)
    with pytest.raises(ConfigError, match="INSERT changes tables"):
        check_statement(session, "WITH x AS (SELECT 1) INSERT INTO ops_leases SELECT * FROM x")
    with pytest.raises(ConfigError, match="INSERT changes tables"):
        check_statement(session, "FROM ops_leases INSERT INTO ops_leases SELECT * INSERT INTO ops_leases SELECT *")


def test_attacks_are_refused_with_write_too(session: SparkSession, tmp_path: Path) -> None:
    session.range(3).write.format("delta").save(str(tmp_path / "other"))
    before = sorted(tmp_path.rglob("*"))
    passed = []
    for attack in ATTACKS:
        query = filled(attack, tmp_path)
        for is_write in (False, True):
            try:
                check_statement(session, query, is_write)
                passed.append(attack)
            except ParseException:
                pass
            except ConfigError as refused:
                assert "hunter2" not in str(refused)
    assert passed == []
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "secret"])


def test_paths_are_no_tables_even_unchecked(session: SparkSession, tmp_path: Path) -> None:
    session.range(3).write.format("delta").save(str(tmp_path / "other"))
    for query in ("SELECT * FROM text.`{secret}`", "SELECT * FROM delta.`{delta}`", "SELECT * FROM parquet.`{delta}`"):
        with pytest.raises(AnalysisException):
            session.sql(filled(query, tmp_path)).collect()


def test_xml_reads_no_other_file(session: SparkSession, tmp_path: Path) -> None:
    xml = filled('<!DOCTYPE a [<!ENTITY b SYSTEM "file://{secret}">]><a>&b;</a>', tmp_path)
    query = f"SELECT xpath_string('{xml}', '/a') AS value"
    check_statement(session, query)
    try:
        assert "hunter2" not in str(session.sql(query).collect())
    except Exception as error:  # refused by the parser of XML
        assert "hunter2" not in str(error)


def test_the_shell_checks_what_is_run(session: SparkSession) -> None:
    original = session.sql
    try:
        check_queries(session, is_write=False)
        rows = session.sql("SELECT * FROM {rows} WHERE id > {least}", rows=session.range(3), least=0)
        assert rows.count() == 2
        for query in ("DROP TABLE ops_leases", "DELETE FROM ops_leases", "SELECT * FROM text.`/etc/hostname`"):
            with pytest.raises(ConfigError):
                session.sql(query)
    finally:
        session.__dict__.pop("sql", None)
    assert session.sql == original


COMMANDS = """
import json, sys
from datetime import UTC, datetime, timedelta
from reviewgen_spark.cli import main
root = sys.argv[1]

def sql(*arguments):
    try:
        code = main(["sql", *arguments, "--set", f"paths.root={root}"])
    except SystemExit as ended:
        code = ended.code
    print(f"code {code}", flush=True)

INSERT = (
    "INSERT INTO ops_source_files (feed_code, path, format_code, size, modified_at, sha256, state, sequence, at) "
    "VALUES ('reviews', 'a.csv', 'csv', 1, now(), 'x', 'reserved', 1, now())"
)
sql(INSERT)
sql(INSERT, "--write")
sql("DELETE FROM ops_source_files")
sql("SELECT count(*) AS files FROM ops_source_files")
sql(f"CREATE TABLE t USING text LOCATION '{root}'", "--write")
sql("SELECT * FROM text.`/etc/hostname`")
sql("SELECT nothing FROM ops_source_files")
sql("SELEC 1")
from reviewgen_spark.orchestration.lease import Lease
Lease.release = lambda self: None  # the process of this lease goes on
sql("DELETE FROM ops_source_files WHERE path = 'b'", "--write")
sql("DELETE FROM ops_source_files", "--write")
sql("SELECT count(*) AS files FROM ops_source_files")
"""


def test_the_command_takes_the_lease_to_write(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(tmp_path / "root")], capture_output=True, text=True, cwd=tmp_path
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == [f"code {code}" for code in (2, 0, 2, 0, 2, 2, 5, 5, 0, 5, 0)], done.stderr
    assert done.stdout.count("|    1|") == 2  # the one row is still there at the end
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "INSERT changes tables; run `reviewgen sql --write`" in errors[0] and "DELETE" in errors[1]
    assert "CreateTable" in errors[2] and "text./etc/hostname is not a table of the warehouse" in errors[3]
    assert "UNRESOLVED_COLUMN" in errors[4] and "PARSE_SYNTAX_ERROR" in errors[5]
    assert "holds the warehouse" in errors[6] and len(errors) == 7
