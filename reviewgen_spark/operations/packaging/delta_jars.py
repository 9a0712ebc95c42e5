"""Downloads the Delta jars once, so that later sessions start offline.

`python -m reviewgen_spark.operations.packaging.delta_jars FOLDER` calls it.

Spark's own resolver downloads them. Only 7 of 33 jars are kept, because pyspark contains newer copies of the others.
The folder is also written to the `spark-defaults.conf` of this environment's pyspark. So a plain
`spark-submit jobs/clean.py` finds Delta too.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from reviewgen_spark.orchestration.session import DELTA_PACKAGE

_DELTA_PREFIXES = ("io.delta_", "io.unitycatalog_")


def resolve_jars(folder: Path) -> list[Path]:
    """Downloads the Delta jars to `folder` if it has no jars, and returns their paths."""
    present = sorted(folder.glob("*.jar"))
    if present:
        return present
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory() as scratch:
        session = (
            SparkSession.builder.master("local[1]")
            .config("spark.jars.packages", DELTA_PACKAGE)
            .config("spark.jars.ivy", scratch)
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
        session.stop()
        staging = folder.with_name(folder.name + ".staging")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        for jar in (Path(scratch) / "jars").glob("*.jar"):
            if jar.name.startswith(_DELTA_PREFIXES):
                shutil.copy2(jar, staging / jar.name)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)  # the rename makes sure that an existing folder is complete
    return sorted(folder.glob("*.jar"))


def write_spark_defaults(jars: list[Path], log4j: Path) -> Path:
    """Writes the jars and the log settings to the defaults of this environment's pyspark, for `spark-submit`."""
    import pyspark

    classpath = ":".join(str(jar) for jar in jars)
    target = Path(pyspark.__file__).parent / "conf" / "spark-defaults.conf"
    target.parent.mkdir(exist_ok=True)
    target.write_text(
        f"spark.driver.extraClassPath {classpath}\n"
        f"spark.executor.extraClassPath {classpath}\n"
        f"spark.driver.extraJavaOptions -Dlog4j2.configurationFile={log4j.as_uri()}\n"
        "spark.ui.showConsoleProgress false\n",
        encoding="utf-8",
    )
    return target


def main(arguments: list[str]) -> int:
    """Downloads the jars and writes the defaults; returns exit code 5 if the jars cannot be resolved."""
    from pyspark.errors import PySparkRuntimeError

    from reviewgen_spark.config import default_conf_folder
    from reviewgen_spark.config.messages import print_line, print_message

    folder = Path(arguments[0]).resolve()
    try:
        jars = resolve_jars(folder)
    except PySparkRuntimeError:  # the JVM has already printed the reason and ended
        jars = []
    if not jars:
        print_message(f"{folder}: {DELTA_PACKAGE} could not be resolved; check the network and run this again")
        return 5
    write_spark_defaults(jars, default_conf_folder() / "log4j2.properties")
    print_line(f"{len(jars)} Delta jars in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
