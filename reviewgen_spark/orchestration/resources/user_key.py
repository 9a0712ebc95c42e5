"""Resolves the secret key for the hashes of user ids."""

import hashlib
import os
import secrets
import time
from pathlib import Path

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.orchestration.stage import Resources
from reviewgen_spark.text.privacy.erasure_keys import key_fingerprint

KEY_VARIABLE = "REVIEWGEN_USER_KEY"
MIN_KEY = 16
_WRITING_S = 5.0  # the time that writing a key file may take
_KEYED_TABLES = ("ops_erasures", "silver_reviews")


def user_key(config: Config) -> Resources:
    """Reads the secret key from the environment, else from `clean.user_key_file`, which is created on first use.

    Raises:
        ConfigError: When neither is given, the file is damaged, or it is missing although tables have keyed hashes.
    """
    value = os.environ.get(KEY_VARIABLE, "")
    if not value and config.clean.user_key_file:
        value = _read_or_create(Path(config.paths.root) / config.clean.user_key_file, config.paths.warehouse)
    if len(value) < MIN_KEY:
        raise ConfigError(
            f"{KEY_VARIABLE}: {'not set' if not value else f'shorter than {MIN_KEY} characters'}; user ids are stored "
            f"as keyed hashes. Set it to a secret that never changes: export {KEY_VARIABLE}=$(openssl rand -hex 32)"
        )
    key = hashlib.blake2b(value.encode(), digest_size=32).digest()
    # With another key, user_key must be computed again.
    return Resources({"user_key": key_fingerprint(key)}, key)


def signing_key(config: Config) -> bytes:
    """Returns the secret key if there is one already, else no bytes; creates no file.

    The notes of local copies of models are signed with it. A command that only labels runs without a key too.
    """
    file = Path(config.paths.root) / config.clean.user_key_file if config.clean.user_key_file else None
    if not os.environ.get(KEY_VARIABLE) and not (file and file.is_file()):
        return b""
    key: bytes = user_key(config).value
    return key


def _read_or_create(path: Path, warehouse: str) -> str:
    """Returns the key in a file. A missing file is created, but not if tables were made with its key."""
    try:
        if not os.path.lexists(path):
            _refuse_another_key(path, warehouse)
            _create(path)
        _wait_until_written(path)
        return _checked(path, path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: the file of the user key cannot be read ({type(error).__name__})") from None


def _create(path: Path) -> None:
    """Creates a key file. It gets its name when it is complete, and a file of another process is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(staged)
        try:
            os.link(staged, path)
        except FileExistsError:
            return  # another process was faster: both use its key
        except OSError:  # a file system without hard links
            _write_in_place(path)
    finally:
        staged.unlink(missing_ok=True)


def _write_in_place(path: Path) -> None:
    """Writes a key file under its own name, unless another process was faster."""
    try:
        _write(path)
    except FileExistsError:
        return


def _wait_until_written(path: Path) -> None:
    """Waits while a new file is empty, because another process may just be writing it in place."""
    while (status := path.stat()).st_size == 0 and abs(time.time() - status.st_mtime) < _WRITING_S:
        time.sleep(0.05)


def _write(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())


def _checked(path: Path, content: bytes) -> str:
    """Returns the key of a file's content.

    Raises:
        ConfigError: The file is empty, too short, or no single line of text.
    """
    value = content.decode("utf-8", "replace").strip()
    fault = ""
    if not value:
        fault = "empty"
    elif not value.isprintable() or "\ufffd" in value:
        fault = "damaged: not a single line of text"
    elif len(value) < MIN_KEY:
        fault = f"shorter than {MIN_KEY} characters"
    if fault:
        raise ConfigError(
            f"{path}: the file of the user key is {fault}. Restore it from a backup, because another key computes "
            f"every user_key again and recognises no erased id. If no table was made with it, delete the file"
        )
    return value


def _refuse_another_key(path: Path, warehouse: str) -> None:
    """Raises a ConfigError if a table has keyed hashes, because a new key would replace the lost one in silence."""
    keyed = [name for name in _KEYED_TABLES if "://" not in warehouse and _has_rows(Path(warehouse) / name)]
    if keyed:
        raise ConfigError(
            f"{path}: the file of the user key is missing, and {keyed[0]} has hashes made with a key. Restore the "
            f"file, or set {KEY_VARIABLE} to the same key. For a new key: openssl rand -hex 32 > {path}"
        )


def _has_rows(table: Path) -> bool:
    """Returns whether a table has a data file. A run creates empty tables before it reads the key."""
    return any("_delta_log" not in file.parts for file in table.rglob("*.parquet"))
