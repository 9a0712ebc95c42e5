"""Restricts the permissions of every file that a command writes, and checks that this user can write."""

import os
import stat
from pathlib import Path
from typing import Literal

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError

_REMOVED_BITS = {"private": 0o077, "group": 0o027}


def umask_of(permissions: Literal["private", "group"]) -> int:
    """Returns the permission bits that new files and folders do not get.

    >>> oct(umask_of("private")), oct(umask_of("group"))
    ('0o77', '0o27')
    """
    return _REMOVED_BITS[permissions]


def restrict_permissions(permissions: Literal["private", "group"]) -> None:
    """Sets the umask of this process; processes that it starts inherit it, such as the JVM and its Python workers.

    Existing files keep their mode. A stricter umask of the caller stays.
    """
    inherited = os.umask(0o777)
    os.umask(inherited | umask_of(permissions))


def open_folders(root: Path, folders: list[Path], permissions: Literal["private", "group"]) -> list[Path]:
    """Returns the existing folders that more users can enter than the setting allows.

    A folder below a closed root is closed too.
    """
    return [
        folder
        for folder in folders
        if _is_open(folder, permissions) and (root not in folder.parents or _is_open(root, permissions))
    ]


def _is_open(folder: Path, permissions: Literal["private", "group"]) -> bool:
    return folder.is_dir() and bool(stat.S_IMODE(folder.stat().st_mode) & umask_of(permissions))


def require_writable(config: Config) -> None:
    """Creates the folders that a run writes, and checks that this user can write there.

    Raises:
        ConfigError: One of them cannot be created or written.
    """
    paths = config.paths
    for name, path in (("root", paths.root), ("warehouse", paths.warehouse), ("artifacts", paths.artifacts)):
        if "://" in path:
            continue
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
            reason = "" if os.access(path, os.W_OK | os.X_OK) else "no write permission"
        except OSError as error:
            reason = str(error.strerror)
        if reason:
            raise ConfigError(
                f"paths.{name}: {path} cannot be written ({reason}); give this user the right to write there, or set "
                f"paths.{name} to another folder"
            )
