"""Checks what a statement in SQL would do, by the plan that Spark's parser makes of it, before it is run.

Every operator of the plan must be in a list, so a new statement of Spark or Delta is refused until it is added. Tables
are named, never read from a path. Functions that call Java, and programs that get rows, are refused too.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from reviewgen_spark.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What each operator is in SQL. Those that change rows need --write.
WRITES = {
    "InsertIntoStatement": "INSERT",
    "DeleteFromTable": "DELETE",
    "UpdateTable": "UPDATE",
    "MergeIntoTable": "MERGE",
    "OptimizeTableCommand": "OPTIMIZE",
    "VacuumTableCommand": "VACUUM",
    "RestoreTableStatement": "RESTORE",
}
_SHOW_NAMES = (
    "ShowTables ShowViews ShowColumns ShowCreateTable ShowTableProperties ShowFunctions ShowNamespaces "
    "ShowNamespacesCommand DescribeRelation DescribeColumn DescribeQueryCommand DescribeFunction DescribeDeltaHistory "
    "DescribeDeltaDetailCommand ExplainCommand"
)
_OPERATOR_NAMES = (
    "Project Filter Aggregate Sort GlobalLimit LocalLimit Offset Distinct Deduplicate Union Intersect Except Join "
    "AsOfJoin LateralJoin Generate Window WithWindowDefinition Sample Pivot Unpivot Expand SubqueryAlias Repartition "
    "RepartitionByExpression OneRowRelation$ OneRowRelation LocalRelation Range UnresolvedWith UnresolvedHaving "
    "UnresolvedHint UnresolvedInlineTable UnresolvedSubqueryColumnAliases UnresolvedTVFAliases TimeTravel "
    "RelationTimeTravel PipeOperator CurrentNamespace$ UnresolvedNamespace UnresolvedFunctionName"
)
_TABLE_FUNCTION_NAMES = (
    "range explode explode_outer posexplode posexplode_outer inline inline_outer stack json_tuple sql_keywords "
    "collations variant_explode variant_explode_outer"
)
_READS = frozenset(f"{_SHOW_NAMES} {_OPERATOR_NAMES}".split(" "))
_TABLE_FUNCTIONS = frozenset(_TABLE_FUNCTION_NAMES.split(" "))
_TABLES = frozenset({"UnresolvedRelation", "UnresolvedTable", "UnresolvedTableOrView", "UnresolvedView"})
_NAMESPACES = ((), ("default",), ("spark_catalog", "default"))
_JAVA_FUNCTIONS = frozenset({"reflect", "java_method", "try_reflect", "from_protobuf", "to_protobuf"})
_PRIVILEGES = "__required_write_privileges__"  # an option that the parser itself adds to the target of a change
_NAMED_BY_TEXT = frozenset({"PlanWithUnresolvedIdentifier", "ExpressionWithUnresolvedIdentifier"})


def forbid_paths(spark: "SparkSession") -> None:
    """Sets that a query of the session reads no path as a table, such as text.`/etc/passwd`.

    Call it after `open_run`, because tables of the warehouse are created by their paths.
    """
    spark.conf.set("spark.sql.runSQLOnFiles", "false")


def check_statement(spark: "SparkSession", query: str, is_write: bool = False) -> None:
    """Checks that a statement only reads tables and views of the warehouse; with `is_write` it may change their rows.

    Args:
        spark: The session whose parser reads the statement; nothing is run.
        query: One statement in Spark SQL.
        is_write: Whether INSERT, DELETE, UPDATE, MERGE, OPTIMIZE, VACUUM and RESTORE are allowed.

    Raises:
        ConfigError: The statement does something else.
        ParseException: It is not SQL.
    """
    session: Any = spark
    for node in _nodes(session._jsparkSession.sessionState().sqlParser().parsePlan(query)):
        _check_node(node, _kind(node), is_write)
        for expression in _expressions(node):
            _check_expression(expression)


def _check_node(node: Any, kind: str, is_write: bool) -> None:
    if kind in WRITES:
        if not is_write:
            raise ConfigError(
                f"{WRITES[kind]} changes tables; run `reviewgen sql --write`, which takes the lease of the warehouse"
            )
    elif kind in _TABLES:
        _check_table(node, kind)
    elif kind == "UnresolvedTableValuedFunction":
        if (name := ".".join(_items(node.name()))).lower() not in _TABLE_FUNCTIONS:
            raise ConfigError(f"{name} is not available; functions of tables: {', '.join(sorted(_TABLE_FUNCTIONS))}")
    elif kind in _NAMED_BY_TEXT:
        raise ConfigError("IDENTIFIER(...) is not available; write the name itself")
    elif kind not in _READS:
        raise ConfigError(
            f"this statement is not available ({kind}). `reviewgen sql` runs queries, SHOW, DESCRIBE and EXPLAIN, "
            f"and with --write {', '.join(WRITES.values())}"
        )


def _check_table(node: Any, kind: str) -> None:
    parts = _items(node.multipartIdentifier())
    if tuple(part.lower() for part in parts[:-1]) not in _NAMESPACES:
        raise ConfigError(
            f'{".".join(parts)} is not a table of the warehouse; `reviewgen sql "SHOW TABLES"` lists them. Files and '
            "other catalogs are not read"
        )
    if kind == "UnresolvedRelation" and set(node.options().asCaseSensitiveMap().keySet()) - {_PRIVILEGES}:
        raise ConfigError(f"{parts[-1]}: options of a table are not available")


def _check_expression(expression: Any) -> None:
    kind = _kind(expression)
    if kind in _NAMED_BY_TEXT:
        raise ConfigError("IDENTIFIER(...) is not available; write the name itself")
    if kind == "UnresolvedFunction":
        name = str(_items(expression.nameParts())[-1])
    elif kind == "UnresolvedGenerator":
        name = str(expression.name().funcName())
    else:
        return
    if name.lower() in _JAVA_FUNCTIONS:
        raise ConfigError(f"the function {name} is not available, because it calls code or reads files of this machine")


def _nodes(plan: Any) -> Iterator[Any]:
    """Yields the operators of a plan, with those of its subqueries and of the statements that it only shows."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        yield node
        for inner in (node.children(), node.innerChildren(), node.subqueries()):
            # Inner children are also tables of names, which are no operators.
            waiting += [child for child in _items(inner) if _is_plan(child)]
        kind = _kind(node)
        if kind == "ExplainCommand":
            waiting.append(node.logicalPlan())
        elif kind == "InsertIntoStatement":
            waiting.append(node.table())
        elif kind == "DescribeQueryCommand":
            waiting.append(node.plan())
        elif kind in ("RelationTimeTravel", "TimeTravel"):
            waiting.append(node.relation())


def _expressions(node: Any) -> Iterator[Any]:
    waiting = _items(node.expressions())
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting += _items(expression.children())


def _is_plan(node: Any) -> bool:
    kind = node.getClass()
    while kind is not None:
        if kind.getName() == "org.apache.spark.sql.catalyst.plans.logical.LogicalPlan":
            return True
        kind = kind.getSuperclass()
    return False


def _kind(node: Any) -> str:
    """Returns the name of the class of a node, without its package."""
    return str(node.getClass().getName()).rpartition(".")[2]


def _items(sequence: Any) -> list[Any]:
    """Returns the items of a sequence of Scala."""
    return [sequence.apply(index) for index in range(sequence.size())]
