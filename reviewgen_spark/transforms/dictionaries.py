"""Word lists on their way to the executors: a dictionary loaded on the driver never reaches them by itself."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from reviewgen_spark.config import default_conf_folder


def driver_dictionaries() -> Path:
    """The folder of word lists beside the configuration."""
    return default_conf_folder() / "dictionaries"


def driver_safety_lists() -> Path:
    """The folder of lists that generated texts are checked by: apart, so that a new word there cuts no review again."""
    return default_conf_folder() / "safety"


def ship_dictionaries(spark: SparkSession, folder: Path) -> None:
    """Send the folder to every executor, once an application; workers find it with `shipped_dictionaries`."""
    context = spark.sparkContext
    context.addArchive(f"{_archive_of(folder, context.applicationId)}#{folder.name}")


@cache
def _archive_of(folder: Path, application: str) -> Path:
    """The folder as a zip, for as long as this process: outside local mode Spark refuses to send a local folder."""
    scratch = Path(tempfile.mkdtemp(prefix="reviewgen-dictionaries-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return Path(shutil.make_archive(str(scratch / application), "zip", folder))


def shipped_dictionaries(name: str) -> Path:
    """Where a worker finds a folder that was shipped, by its name."""
    return Path(SparkFiles.get(name))
