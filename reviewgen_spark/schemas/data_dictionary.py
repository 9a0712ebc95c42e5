"""Writes the data dictionary: `python -m reviewgen_spark.schemas.data_dictionary FILE`. A test compares the two."""

import sys
from pathlib import Path

from reviewgen_spark.schemas import TABLES, Table


def render_dictionary() -> str:
    """Returns every table with its columns, as Markdown."""
    head = (
        "# Data dictionary\n\nGenerated from `reviewgen_spark/schemas/` by `make docs`; do not edit.\n\n"
        "Times are UTC. A table has one writing stage. Review-level tables are partitioned by `batch_id`.\n"
    )
    return head + "".join(_render_table(table) for table in TABLES.values())


def _render_table(table: Table) -> str:
    rows = "".join(
        f"| `{column.name}` | {column.dataType.simpleString()} | {'yes' if column.nullable else 'no'} "
        f"| {(column.metadata or {}).get('comment', '')} |\n"
        for column in table.columns
    )
    checks = "".join(f"- `{name}`: `{condition}`\n" for name, condition in table.checks.items())
    key = ", ".join(f"`{name}`" for name in table.key)
    return (
        f"\n## {table.name}\n\n{table.comment}.\n\nWritten by `{table.stage}`; key: {key}"
        f"{'; partitioned by `batch_id`' if table.is_review_level else ''}.\n\n"
        f"| column | type | null | meaning |\n|---|---|---|---|\n{rows}" + (f"\nChecks:\n\n{checks}" if checks else "")
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_dictionary(), encoding="utf-8")
