"""Lets a local JVM start with an archive of Spark's classes (class data sharing of Java).

Spark loads and links some 20,000 classes before its first query. A JVM that maps an archive of them skips this work.
`make setup` writes the archive beside the Delta jars. Java checks it against its own version and against each jar,
and ignores an archive that does not fit.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ARCHIVE = "spark-classes.jsa"
# Java prints these warnings to standard output, where the answer of a command is.
SILENT = "-Xlog:cds=off -Xlog:cds+dynamic=off"
# Variables that choose a configuration of Spark or Hadoop other than that of this environment's pyspark.
_FOREIGN = ("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR")


def class_archive(jars: Path) -> Path:
    """Returns the path of the archive that belongs to a folder of Delta jars."""
    return jars / ARCHIVE


def archive_options(jars: Path) -> str:
    """Returns the options of Java that use the archive beside the jars; none if there is no archive."""
    archive = class_archive(jars).resolve()
    if not archive.is_file() or " " in str(archive) or not _has_own_configuration():
        return ""
    return f" -XX:SharedArchiveFile={archive} {SILENT}"


@contextmanager
def without_configuration_folder() -> Iterator[None]:
    """Keeps the folder `conf` of pyspark off the class path of a JVM that starts inside.

    Java shares no classes if a folder with files is on the class path. That folder has only the defaults that
    `make setup` writes for `spark-submit`; a local session sets all of them itself.
    """
    if not _has_own_configuration():
        yield
        return
    os.environ["SPARK_CONF_DIR"] = str(Path(os.devnull) / "conf")  # a folder that cannot exist
    try:
        yield
    finally:
        del os.environ["SPARK_CONF_DIR"]


def _has_own_configuration() -> bool:
    """Returns whether Spark is configured by this project alone."""
    if any(os.environ.get(name) for name in _FOREIGN):
        return False
    import pyspark

    folder = Path(pyspark.__file__).parent / "conf"
    return not folder.is_dir() or {path.name for path in folder.iterdir()} <= {"spark-defaults.conf"}
