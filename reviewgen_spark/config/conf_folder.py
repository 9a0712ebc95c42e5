"""Finds the folder of YAML files and word lists, in a checkout, an installed package or a wheel."""

import atexit
import os
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path


def default_conf_folder() -> Path:
    """Returns `REVIEWGEN_CONF`, or `conf` of the checkout, or the copy in the installed package or its wheel."""
    if configured := os.environ.get("REVIEWGEN_CONF"):
        return Path(configured).resolve()
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "conf"
    if (checkout / "base.yaml").is_file():
        return checkout
    return _unpacked_conf(package.parent) if package.parent.is_file() else package / "conf"


@cache
def _unpacked_conf(wheel: Path) -> Path:
    """Unpacks `conf` of a wheel that is imported without installation (`spark-submit --py-files`)."""
    folder = Path(tempfile.mkdtemp(prefix="reviewgen-conf-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("reviewgen_spark/conf/")])
    return folder / "reviewgen_spark" / "conf"
