"""Local folders of Spark after a kill: they hold texts of reviews, and an erasure must see them."""

import os
import subprocess
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from reviewgen_spark.operations.erasure.residual_scan import Values, scan_files
from reviewgen_spark.operations.erasure.spark_folders import left_behind, local_folders

TEXT = "这条评论只在本地文件夹里，他说“很好” & canary-5b2d"
KILLED = """
import os, signal, sys
from reviewgen_spark.config import load_config
from reviewgen_spark.orchestration.session import start_session
root, text = sys.argv[1:]
spark = start_session(load_config("local", [f"paths.root={root}", "spark.master=local[1]", "spark.driver_memory=1g"]))
packed = f"{text[:20]} {text[12:]} {text}"  # packed bytes refer to its parts, and do not contain it whole
rows = spark.createDataFrame([(n, packed if n == 7 else "x" * n) for n in range(200)], "n int, text string")
rows.repartition(2, "n").collect()
own = spark._jvm.java.lang.ProcessHandle.current().pid()
os.kill(own, signal.SIGKILL)
os._exit(0)
"""


def test_a_text_in_shuffle_files_of_a_killed_session_is_found(tmp_path: Path) -> None:
    environment = {**os.environ, "SPARK_LOCAL_DIRS": str(tmp_path / "local")}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "root"), TEXT]
    subprocess.run(command, check=True, capture_output=True, timeout=500, env=environment)
    folders = list(left_behind({tmp_path / "local"}))
    assert folders, "the killed session must have left its folders behind"
    files = [file for folder in folders for file in folder.rglob("*.data")]
    assert files and not any(TEXT.encode() in file.read_bytes() for file in files), "Spark packs its files"
    result = scan_files(folders, Values(frozenset({TEXT})))
    assert {path.suffix for path in result.matches} == {".data"}
    assert all(path.stat().st_mode & 0o077 == 0 for folder in folders for path in (folder, *folder.rglob("*")))


def test_the_folders_of_a_running_session_are_its_own(spark: SparkSession, tmp_path: Path) -> None:
    [place] = {folder.parent for folder in local_folders(spark).own}
    other = place / "blockmgr-of-a-killed-session"
    other.mkdir()
    try:
        folders = local_folders(spark)
        assert other in folders.left_behind and not set(folders.own) & set(folders.left_behind)
        assert {folder.name.split("-")[0] for folder in folders.own} == {"spark", "blockmgr"}
        assert folders.unreachable == ()
    finally:
        other.rmdir()
