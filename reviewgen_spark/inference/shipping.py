"""Get a model's files to every worker once, and keep the loaded model for the worker's life.

The driver broadcasts the files' bytes (Spark's torrent sends them once an executor). On a node the first worker that
has rows writes them to one folder under a file lock; every worker maps that folder's weights, so that N workers share
one copy of the pages. A worker that gets no row touches nothing.
"""

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reviewgen_spark.errors import ModelNotFoundError, StageError
from reviewgen_spark.models.folder import MODEL_FILES, folder_sha256

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from reviewgen_spark.models.predictor import Device, Precision, Predictor

CACHE_VARIABLE = "REVIEWGEN_MODEL_CACHE"


class ModelLike(Protocol):
    """What shipping needs to know of a registered model."""

    @property
    def name(self) -> str:
        """The registered name."""

    @property
    def version(self) -> int:
        """The registered version."""

    @property
    def sha256(self) -> str:
        """`folder_sha256` of its files."""

    @property
    def path(self) -> Path:
        """The model folder, as the driver sees it."""


@dataclass(frozen=True)
class ShippedModel:
    """A handle that travels in a task's closure: the hash, and the broadcast that holds {file name: bytes}."""

    sha256: str
    files: Any  # Broadcast[dict[str, bytes]]


# One broadcast an application and model, on the driver: each batch of a night labels with the same one.
_SHIPPED: dict[tuple[str, str], ShippedModel] = {}
# One loaded model a worker process: (sha256, device, precision) -> Predictor.
_LOADED: dict[tuple[str, str, str], "Predictor"] = {}


def ship(spark: "SparkSession", model: ModelLike) -> ShippedModel:
    """Broadcast a model's files, or take the broadcast that this application already has.

    Raises:
        ModelNotFoundError: a file is missing, or the files are not those that were registered.
    """
    key = (spark.sparkContext.applicationId, model.sha256)
    if key not in _SHIPPED:
        missing = [name for name in MODEL_FILES if not (model.path / name).is_file()]
        if missing or folder_sha256(model.path) != model.sha256:
            raise ModelNotFoundError(
                f"{model.name} version {model.version}: the files in {model.path} are damaged "
                f"({'missing: ' + ', '.join(missing) if missing else 'sha256 differs from the registered one'}); "
                "promote another version, or train again with `reviewgen run train`"
            )
        files = {name: (model.path / name).read_bytes() for name in MODEL_FILES}
        _SHIPPED[key] = ShippedModel(model.sha256, spark.sparkContext.broadcast(files))
    return _SHIPPED[key]


def load_predictor(shipped: ShippedModel, device: "Device", precision: "Precision", threads: int) -> "Predictor":
    """Give the worker's model; loads it the first time this process needs it. Runs on an executor."""
    import torch

    from reviewgen_spark.models.predictor import Predictor, choose_device

    resolved: Device = "cuda" if choose_device(device) == "cuda" else "cpu"
    key = (shipped.sha256, resolved, precision)
    if key not in _LOADED:
        torch.set_num_threads(threads)
        folder = local_folder(shipped)
        _LOADED.clear()  # a new champion replaces the old one; two would double a worker's memory
        _LOADED[key] = Predictor(folder, resolved, precision)
    return _LOADED[key]


def local_folder(shipped: ShippedModel) -> Path:
    """The model's folder on this node; written once, by whoever holds the lock first, and checked by every worker.

    Raises:
        StageError: what arrived is not what was sent.
    """
    cache = cache_folder()
    folder = cache / shipped.sha256
    with (cache / f"{shipped.sha256}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_whole(folder, shipped.sha256):
            staged = Path(tempfile.mkdtemp(prefix="staged-", dir=cache))
            try:
                for name, content in shipped.files.value.items():
                    (staged / name).write_bytes(content)
                if not _is_whole(staged, shipped.sha256):
                    raise StageError(f"label: the model's files arrived damaged, expected sha256 {shipped.sha256}")
                # A damaged folder goes by rename too: another worker may have its old files mapped.
                shutil.rmtree(folder, ignore_errors=True)
                staged.rename(folder)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
    return folder


def cache_folder() -> Path:
    """Where this node keeps shipped models; private to the user, so that nobody else can plant one.

    Raises:
        StageError: the folder belongs to someone else.
    """
    default = Path(tempfile.gettempdir()) / f"reviewgen-models-{os.getuid()}"
    cache = Path(os.environ.get(CACHE_VARIABLE, default))
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if cache.stat().st_uid != os.getuid():
        raise StageError(f"{cache}: belongs to another user; set {CACHE_VARIABLE} to a folder of your own")
    return cache


def _is_whole(folder: Path, sha256: str) -> bool:
    return all((folder / name).is_file() for name in MODEL_FILES) and folder_sha256(folder) == sha256
