"""Get the files of a labeller or a generator to every worker once, and keep the loaded model for the worker's life.

The driver broadcasts the files' bytes (Spark's torrent sends them once an executor), or, for `label.weights:
localcache` and big models, each node fetches them from the registry's artifact store. On a node the first worker that
has rows writes them to one folder under a file lock; every worker maps that folder's weights, so that N workers share
one copy of the pages. A worker that gets no row touches nothing.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from reviewgen_spark.config import LabelSection
from reviewgen_spark.errors import ConfigError, ModelNotFoundError, StageError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, NGRAM_FILE, ONNX_FILE, files_sha256

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from reviewgen_spark.models.classifier.loading import Device
    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.classifier.runtime import Precision
    from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier
    from reviewgen_spark.models.generator.generator_folder import Generator

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
        """`files_sha256` of its files."""

    @property
    def path(self) -> Path:
        """The model folder, as the driver sees it."""

    @property
    def uri(self) -> str:
        """The same in the artifact store; a path or URI that executors reach. Asked for by localcache only."""


@dataclass(frozen=True)
class ShippedModel:
    """A handle that travels in a task's closure: the hash, and where the files are.

    Attributes:
        sha256: what `files_sha256` must give.
        files: Broadcast[dict[str, bytes]] by file name; None where the node fetches them.
        uri: the folder in the artifact store.
        names: the files that the model is made of.
        beside: sha256 by name of the files that a worker needs besides: the ONNX file that it runs instead of the
            weights, the n-gram classifier that answers first.
    """

    sha256: str
    files: Any = None
    uri: str = ""
    names: tuple[str, ...] = MODEL_FILES
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder_name(self) -> str:
        """Of its folder on a node."""
        return "-".join((self.sha256, *(self.beside[name] for name in sorted(self.beside))))


# One broadcast an application and model, on the driver: each batch of a night labels with the same one.
_SHIPPED: dict[tuple[str, str, bool, tuple[str, ...]], ShippedModel] = {}
# One loaded labeller and one generator a worker process, by (sha256, device, precision or onnx); and how often it
# loaded one.
_Key = tuple[str, str, str]
_LOADED: dict[_Key, "Predictor"] = {}
_GENERATORS: dict[_Key, "Generator"] = {}
_NGRAMS: dict[str, "NgramClassifier | None"] = {}
_load_count = 0


def files_beside(section: LabelSection) -> tuple[str, ...]:
    """What labelling by these settings needs of a compressed version besides the model's own files."""
    return (*([ONNX_FILE] if section.runtime == "onnx" else []), *([NGRAM_FILE] if section.cascade else []))


def ship(
    spark: "SparkSession",
    model: ModelLike,
    weights: Literal["broadcast", "localcache"] = "broadcast",
    broadcast_max_mb: int = 512,
    names: tuple[str, ...] = MODEL_FILES,
    beside: tuple[str, ...] = (),
) -> ShippedModel:
    """Broadcast a model's files, or take the broadcast that this application already has; or only say where they are.

    Args:
        spark: the session.
        model: a registered model.
        weights: `broadcast` from the driver, or `localcache`: each node fetches them from the artifact store.
        broadcast_max_mb: a bigger model goes by localcache: the driver holds what it broadcasts in memory.
        names: the files that it is made of; those of a labeller, or `generator.GENERATOR_FILES`.
        beside: more files of the model's folder, such as the ONNX file; these are broadcast only.

    Raises:
        ConfigError: files beside the model would have to go by localcache.
        ModelNotFoundError: a file is missing, or the files are not those that were registered.
    """
    is_big = sum(file.stat().st_size for file in model.path.glob("*")) > broadcast_max_mb * 10**6
    is_fetched = weights == "localcache" or is_big
    if beside and is_fetched:
        raise ConfigError(
            f"label: {', '.join(beside)} in {model.path} go by broadcast, and the files there are more than "
            f"label.broadcast_max_mb ({broadcast_max_mb}) allows; raise it"
        )
    key = (spark.sparkContext.applicationId, model.sha256, is_fetched, beside)
    if key not in _SHIPPED:
        missing = [name for name in (*names, *beside) if not (model.path / name).is_file()]
        if missing or files_sha256(model.path, names) != model.sha256:
            raise ModelNotFoundError(
                f"{model.name} version {model.version}: the files in {model.path} are damaged "
                f"({'missing: ' + ', '.join(missing) if missing else 'sha256 differs from the registered one'}); "
                "take another version, or train again with `reviewgen run train` (or train_generator)"
            )
        if is_fetched:
            _SHIPPED[key] = ShippedModel(model.sha256, uri=model.uri, names=names)
        else:
            files = {name: (model.path / name).read_bytes() for name in (*names, *beside)}
            hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in beside}
            broadcast = spark.sparkContext.broadcast(files)
            _SHIPPED[key] = ShippedModel(model.sha256, broadcast, names=names, beside=hashes)
    return _SHIPPED[key]


def load_count() -> int:
    """How often this process has loaded a model: once, if all is well."""
    return _load_count


def load_predictor(
    shipped: ShippedModel, device: "Device", precision: "Precision", threads: int, compiled: bool = False
) -> "Predictor":
    """Give the worker's labeller; loads it the first time this process needs it. Runs on an executor."""

    def load(folder: Path, on: "Device") -> "Predictor":
        return open_predictor(folder, shipped.beside, on, precision, threads, compiled)

    found: Predictor = _hold(_LOADED, shipped, device, precision, threads, load)
    return found


def open_predictor(
    folder: Path,
    beside: Container[str],
    device: "Device",
    precision: "Precision",
    threads: int = 1,
    compiled: bool = False,
) -> "Predictor":
    """Load a labeller from a folder: by ONNX Runtime where `beside` names the ONNX file, else by torch.

    Raises:
        ModelNotFoundError: the folder is no model folder.
        MissingExtraError: onnxruntime is needed and not installed.
    """
    if ONNX_FILE in beside:
        from reviewgen_spark.models.compression.onnx_predictor import OnnxPredictor

        return OnnxPredictor(folder, threads)
    from reviewgen_spark.models.classifier.predictor import Predictor

    return Predictor(folder, device, precision, compiled)


def load_first_answers(shipped: ShippedModel) -> "NgramClassifier | None":
    """Give the worker's n-gram classifier, where the model came with one; loaded once. Runs on an executor."""
    if NGRAM_FILE not in shipped.beside:
        return None
    key = shipped.beside[NGRAM_FILE]
    if key not in _NGRAMS:
        _NGRAMS.clear()
        _NGRAMS[key] = open_first_answers(local_folder(shipped), shipped.beside)
    return _NGRAMS[key]


def open_first_answers(folder: Path, beside: Container[str]) -> "NgramClassifier | None":
    """Load the n-gram classifier of a folder where `beside` names it."""
    if NGRAM_FILE not in beside:
        return None
    from reviewgen_spark.models.compression.ngram_classifier import load_ngram_classifier

    return load_ngram_classifier(folder / NGRAM_FILE)


def load_shipped_generator(
    shipped: ShippedModel, device: "Device", precision: "Precision", threads: int
) -> "Generator":
    """Give the worker's generator, as `load_predictor` gives its labeller."""
    from reviewgen_spark.models.generator.generator_folder import load_generator

    found: Generator = _hold(
        _GENERATORS, shipped, device, precision, threads, lambda folder, on: load_generator(folder, on, precision)
    )
    return found


def _hold(
    loaded: "dict[_Key, Any]",
    shipped: ShippedModel,
    device: "Device",
    precision: "Precision",
    threads: int,
    load: "Callable[[Path, Device], Any]",
) -> Any:
    global _load_count
    import torch

    from reviewgen_spark.models.classifier.loading import choose_device

    is_onnx = ONNX_FILE in shipped.beside
    is_on_gpu = not is_onnx and choose_device(device) == "cuda"
    resolved: Device = "cuda" if is_on_gpu else "cpu"
    key = (shipped.sha256, resolved, "onnx" if is_onnx else precision)
    if key not in loaded:
        torch.set_num_threads(threads)
        folder = local_folder(shipped)
        loaded.clear()  # a new champion replaces the old one; two would double a worker's memory
        loaded[key] = load(folder, resolved)
        _load_count += 1
    return loaded[key]


def local_folder(shipped: ShippedModel) -> Path:
    """The model's folder on this node; written once, by whoever holds the lock first, and checked by every worker.

    Raises:
        StageError: what arrived is not what was sent, or the artifact store cannot be read from here.
    """
    cache = cache_folder()
    folder = cache / shipped.folder_name
    with (cache / f"{shipped.folder_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_whole(folder, shipped):
            staged = Path(tempfile.mkdtemp(prefix="staged-", dir=cache))
            try:
                if shipped.files is None:
                    _fetch(shipped, staged)
                else:
                    for name, content in shipped.files.value.items():
                        (staged / name).write_bytes(content)
                if not _is_whole(staged, shipped):
                    raise StageError(f"the model's files arrived damaged, expected sha256 {shipped.sha256}")
                # A damaged folder goes by rename too: another worker may have its old files mapped.
                shutil.rmtree(folder, ignore_errors=True)
                staged.rename(folder)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
    return folder


def _fetch(shipped: ShippedModel, folder: Path) -> None:
    """Copy a model's files from the artifact store into a folder: a path that this node sees, or a URI by MLflow."""
    uri = shipped.uri
    parts = urlsplit(uri)
    try:
        if parts.scheme in ("", "file"):
            source = Path(unquote(parts.path))
        else:
            from reviewgen_spark.models.registry.mlflow_store import download

            source = download(uri, folder / "fetched")
        for name in shipped.names:
            shutil.copyfile(source / name, folder / name)
        shutil.rmtree(folder / "fetched", ignore_errors=True)
    except Exception as error:  # a store's client raises what it likes
        raise StageError(
            f"the artifact store at {uri} cannot be read from this executor ({type(error).__name__}); make it "
            "reachable, or set weights: broadcast and broadcast_max_mb above the model's size (label, generation)"
        ) from error


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


def _is_whole(folder: Path, shipped: ShippedModel) -> bool:
    names = shipped.names
    if not all((folder / name).is_file() for name in names) or files_sha256(folder, names) != shipped.sha256:
        return False
    return all(
        (folder / name).is_file() and hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        for name, sha256 in shipped.beside.items()
    )
