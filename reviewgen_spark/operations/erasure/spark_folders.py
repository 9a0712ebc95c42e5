"""Finds the local folders that killed sessions of Spark have left behind, with shuffle files and cached rows."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark's block manager, its other folders, and temporary folders of this project; a copied model has no rows.
_PATTERNS = ("blockmgr-*", "spark-*", "pyspark-*", "reviewgen-*")
_MODEL_COPIES = "reviewgen-models-"


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
    """Returns the local folders of this machine: those of spark.local.dir and java.io.tmpdir."""
    context = spark.sparkContext
    jvm = context._jvm
    assert jvm is not None  # a classic session always has one
    settings = context._jsc.sc().conf()
    places = {Path(place) for place in jvm.org.apache.spark.util.Utils.getConfiguredLocalDirs(settings)}
    places |= {Path(jvm.java.lang.System.getProperty("java.io.tmpdir")), Path(tempfile.gettempdir())}
    own = {Path(jvm.org.apache.spark.util.Utils.getLocalDir(settings))}
    manager = jvm.org.apache.spark.SparkEnv.get().blockManager().diskBlockManager()
    own |= {Path(folder.getPath()) for folder in manager.localDirs()}
    is_local = context.master.split("[")[0] == "local"
    unreachable = () if is_local else ("local folders of Spark on the executors' machines (spark.local.dir)",)
    return LocalFolders(tuple(sorted(set(left_behind(places)) - own)), tuple(sorted(own)), unreachable)


def left_behind(places: set[Path]) -> Iterator[Path]:
    """Yields the folders of Spark and of this project in folders for temporary files."""
    for place in places:
        for pattern in _PATTERNS:
            for folder in place.glob(pattern):
                if folder.is_dir() and not folder.name.startswith(_MODEL_COPIES):
                    yield folder
