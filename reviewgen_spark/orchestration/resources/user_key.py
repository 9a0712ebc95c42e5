"""Resolves the secret key for the hashes of user ids."""

import hashlib
import os
import secrets
from pathlib import Path

from reviewgen_spark.config import Config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.orchestration.stage import Resources
from reviewgen_spark.text.privacy.erasure_keys import key_fingerprint

KEY_VARIABLE = "REVIEWGEN_USER_KEY"


def user_key(config: Config) -> Resources:
    """Reads the secret key from the environment, else from `clean.user_key_file`, which is created on first use.

    Raises:
        ConfigError: When neither is given.
    """
    value = os.environ.get(KEY_VARIABLE, "")
    if not value and config.clean.user_key_file:
        value = _key_file(Path(config.paths.root) / config.clean.user_key_file)
    if len(value) < 16:
        raise ConfigError(
            f"{KEY_VARIABLE}: {'not set' if not value else 'shorter than 16 characters'}; user ids are stored as keyed "
            f"hashes. Set it to a secret that never changes: export {KEY_VARIABLE}=$(openssl rand -hex 32)"
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


def _key_file(path: Path) -> str:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="utf-8").strip()
