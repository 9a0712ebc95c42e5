"""Finds the local folders that killed sessions of Spark have left behind, with shuffle files and cached rows."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SPARK = ("blockmgr-*", "spark-*", "pyspark-*")
_PYTHON = ("pyspark-*", "reviewgen-tune-*")


@dataclass(frozen=True)
class LocalFolders:
    """Lists local folders of Spark.

    Attributes:
        left_behind: Folders that other sessions made on this machine.
        own: Folders of this session, which it removes when it ends.
        unreachable: Places that this process cannot search, in words.
    """

    left_behind: tuple[Path, ...]
    own: tuple[Path, ...]
    unreachable: tuple[str, ...]


def local_folders(spark: "SparkSession") -> LocalFolders:
    """Returns the folders of spark.local.dir, java.io.tmpdir and Python's temporary folder on this machine."""
    context = spark.sparkContext
    jvm = context._jvm
    assert jvm is not None  # a classic session always has one
    settings = context._jsc.sc().conf()
    places = {Path(place) for place in jvm.org.apache.spark.util.Utils.getConfiguredLocalDirs(settings)}
    places.add(Path(jvm.java.lang.System.getProperty("java.io.tmpdir")))
    own = {Path(jvm.org.apache.spark.util.Utils.getLocalDir(settings))}
    manager = jvm.org.apache.spark.SparkEnv.get().blockManager().diskBlockManager()
    own |= {Path(folder.getPath()) for folder in manager.localDirs()}
    is_local = str(context.master).split("[")[0] == "local"
    unreachable = () if is_local else ("local folders of Spark on the executors' machines (spark.local.dir)",)
    others = {*left_behind(places, _SPARK), *left_behind({Path(tempfile.gettempdir())}, _PYTHON)} - own
    return LocalFolders(tuple(sorted(others)), tuple(sorted(own)), unreachable)


def left_behind(places: set[Path], patterns: tuple[str, ...] = _SPARK) -> Iterator[Path]:
    """Yields the folders with such names in folders for temporary files."""
    for place in places:
        for pattern in patterns:
            yield from (folder for folder in place.glob(pattern) if folder.is_dir())
