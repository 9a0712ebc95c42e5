"""Word lists on their way to the executors: a dictionary loaded on the driver never reaches them by itself."""

from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from reviewgen_spark.config import default_conf_folder


def driver_dictionaries() -> Path:
    """The folder of word lists beside the configuration."""
    return default_conf_folder() / "dictionaries"


def ship_dictionaries(spark: SparkSession, folder: Path) -> None:
    """Send the folder to every executor; workers find it with `shipped_dictionaries`."""
    spark.sparkContext.addFile(str(folder), recursive=True)


def shipped_dictionaries(name: str) -> Path:
    """Where a worker finds a folder that was shipped, by its name."""
    return Path(SparkFiles.get(name))
