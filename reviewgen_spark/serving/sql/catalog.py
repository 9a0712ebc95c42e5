"""Registers tables and views in a session by location, because then many sessions can read at once."""

from pyspark.sql import DataFrame, SparkSession

from reviewgen_spark.config import Config
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.transforms.views import VIEWS
from reviewgen_spark.warehouse.batch_sources import batch_sources
from reviewgen_spark.warehouse.delta_log import sql_text
from reviewgen_spark.warehouse.tables import Warehouse


def register_tables(spark: SparkSession, config: Config) -> list[str]:
    """Registers all existing tables and the views on them, and returns their names.

    A table is read at its newest version each time it is queried. A view is registered if one of its tables exists;
    missing tables count as empty. The sources of the batches are read once, by this call.
    """
    warehouse = Warehouse(spark, config)
    names = [name for name in TABLES if warehouse.exists(name)]
    for name in names:
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION {sql_text(warehouse.path(name))}")
    existing = frozenset(names)
    sources = batch_sources(warehouse)
    for view, build in VIEWS.items():
        read: set[str] = set()

        def table(name: str, read: set[str] = read) -> DataFrame:
            read.add(name)
            return spark.table(name) if name in existing else spark.createDataFrame([], TABLES[name].columns)

        rows = build(table, sources)
        if read & existing:
            rows.createOrReplaceTempView(view)
            names.append(view)
    return names
