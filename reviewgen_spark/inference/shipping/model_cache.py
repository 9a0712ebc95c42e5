"""Returns the folder where a node keeps shipped models."""

import os
import tempfile
from pathlib import Path

from reviewgen_spark.errors import StageError

CACHE_VARIABLE = "REVIEWGEN_MODEL_CACHE"


def cache_folder() -> Path:
    """Returns this node's folder of shipped models. It is private, so that no other user can put a model there.

    Raises:
        StageError: the folder belongs to someone else.
    """
    default = Path(tempfile.gettempdir()) / f"reviewgen-models-{os.getuid()}"
    cache = Path(os.environ.get(CACHE_VARIABLE, default))
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if cache.stat().st_uid != os.getuid():
        raise StageError(f"{cache}: belongs to another user; set {CACHE_VARIABLE} to a folder of your own")
    return cache
