"""Ships word lists to the executors, because a dictionary loaded on the driver never reaches them by itself."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from reviewgen_spark.config import default_conf_folder


def driver_dictionaries() -> Path:
    """Returns the folder of word lists beside the configuration."""
    return default_conf_folder() / "dictionaries"


def driver_safety_lists() -> Path:
    """Returns the folder of lists for the checks of generated texts.

    It is a separate folder, so that a new word in it causes no review to be tokenised again.
    """
    return default_conf_folder() / "safety"


def ship_dictionaries(spark: SparkSession, folder: Path) -> None:
    """Sends the folder to every executor, once an application; workers find it with `shipped_dictionaries`."""
    context = spark.sparkContext
    context.addArchive(f"{_archive_of(folder, context.applicationId)}#{folder.name}")


@cache
def _archive_of(folder: Path, application: str) -> Path:
    """Returns the folder as a zip that this process deletes at exit.

    A zip is needed because Spark refuses to send a local folder outside local mode.
    """
    scratch = Path(tempfile.mkdtemp(prefix="reviewgen-dictionaries-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return Path(shutil.make_archive(str(scratch / application), "zip", folder))


def shipped_dictionaries(name: str) -> Path:
    """Returns the path of a shipped folder on a worker, by its name."""
    return Path(SparkFiles.get(name))
