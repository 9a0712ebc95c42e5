"""Who may read the files of a night: those of Spark, Delta, MLflow and Python, also in a root of an earlier version."""

import os
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

# The registry is filled in the same process as the night, so its store and its artifacts are files of a command.
NIGHT = """
import os, sys
from pathlib import Path
os.umask(0o022)
root, setting, *until = sys.argv[1:]
from reviewgen_spark.cli import main
from reviewgen_spark.orchestration.permissions import restrict_permissions
from tests.e2e.test_privacy import deliver
deliver(Path(root) / "landing")
restrict_permissions(setting)
from tests.spark.conftest import register_champion
register_champion(Path(root))
options = [f"paths.root={root}", f"paths.permissions={setting}", "tables.parquet_exports=[silver_reviews]",
           "label.max_error_pct=100", 'spark.extra={"spark.local.dir": "' + root + '/spark"}']
sys.exit(main(["run", "nightly", *until, *(part for option in options for part in ("--set", option))]))
"""


def modes(root: Path) -> Counter[tuple[str, str]]:
    """Counts the modes of files and folders by the folder below the root that holds them."""
    counted: Counter[tuple[str, str]] = Counter()
    for path in root.rglob("*"):
        if not path.is_symlink() and "landing" not in path.parts:
            kind = "folder" if path.is_dir() else "file"
            counted[kind, f"{stat.S_IMODE(path.stat().st_mode):04o}"] += 1
    return counted


@pytest.mark.parametrize(
    ("setting", "folder", "file", "until", "last"),
    [
        ("private", "0700", "0600", [], ("warehouse/gold_review_labels", "artifacts/report")),
        ("group", "0750", "0640", ["--until", "clean"], ("warehouse/silver_reviews/_delta_log",)),
    ],
)
def test_who_may_read_the_files_of_a_night(
    tmp_path: Path, setting: str, folder: str, file: str, until: list[str], last: tuple[str, ...]
) -> None:
    for folder_of_before in (tmp_path / "warehouse", tmp_path / "warehouse" / "silver_reviews"):
        folder_of_before.mkdir()
        folder_of_before.chmod(0o755)  # the mode of an earlier version; mkdir alone follows the umask of this process
    environment = {**os.environ, "REVIEWGEN_USER_KEY": "a key for tests, not a secret"}
    command = [sys.executable, "-c", NIGHT, str(tmp_path), setting, *until]  # setting: paths.permissions
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 3, done.stderr  # a delivered file is refused
    for name in ("exports", "mlflow/mlflow.db", "mlflow/artifacts", *last):
        assert (tmp_path / name).exists(), name
    counted = modes(tmp_path)
    # the mode of a folder that was there is not changed
    assert counted.pop(("folder", "0755")) <= 3
    # a copied or downloaded file may be stricter, but never more open
    assert set(counted) <= {("folder", folder), ("file", file), ("folder", "0700"), ("file", "0600")}
    assert counted["folder", folder] > 50 and counted["file", file] > 50
