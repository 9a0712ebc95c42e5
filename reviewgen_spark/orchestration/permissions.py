"""Restricts the permissions of every file that a command writes, by `paths.permissions`."""

import os
import stat
from pathlib import Path
from typing import Literal

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
