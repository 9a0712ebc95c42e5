"""Writes a shipped model to a node's disk once, and keeps it loaded as long as the worker process runs."""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from reviewgen_spark.errors import StageError
from reviewgen_spark.inference.shipping.model_cache import cache_folder
from reviewgen_spark.inference.shipping.ship import ShippedModel
from reviewgen_spark.models.classifier.model_folder import NGRAM_FILE, ONNX_FILE, is_whole

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.loading import Device
    from reviewgen_spark.models.classifier.predictor import Predictor
    from reviewgen_spark.models.classifier.runtime import Precision
    from reviewgen_spark.models.compression.ngram_classifier import NgramClassifier
    from reviewgen_spark.models.generator.generator_folder import Generator


# The loaded labeller and generator of this worker process, at most one each, by (sha256, device, precision or onnx);
# and how often a model was loaded.
_Key = tuple[str, str, str]
_LOADED: dict[_Key, "Predictor"] = {}
_GENERATORS: dict[_Key, "Generator"] = {}
_NGRAMS: dict[str, "NgramClassifier | None"] = {}
_load_count = 0


def load_count() -> int:
    """Returns how often this process has loaded a model. Once is expected."""
    return _load_count


def load_predictor(
    shipped: ShippedModel, device: "Device", precision: "Precision", threads: int, compiled: bool = False
) -> "Predictor":
    """Returns the worker's labeller. Loads it at the first use in this process. Runs on an executor."""

    def load(folder: Path, on: "Device") -> "Predictor":
        return open_predictor(folder, shipped.beside, on, precision, threads, compiled)

    predictor: Predictor = _load_once(_LOADED, shipped, device, precision, threads, load)
    return predictor


def open_predictor(
    folder: Path,
    beside: Container[str],
    device: "Device",
    precision: "Precision",
    threads: int = 1,
    compiled: bool = False,
) -> "Predictor":
    """Loads a labeller from a folder: by ONNX Runtime if `beside` names the ONNX file, else by torch.

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
    """Returns the worker's n-gram classifier, loaded once; None if none was shipped. Runs on an executor."""
    if NGRAM_FILE not in shipped.beside:
        return None
    key = shipped.beside[NGRAM_FILE]
    if key not in _NGRAMS:
        _NGRAMS.clear()
        _NGRAMS[key] = open_first_answers(local_folder(shipped), shipped.beside)
    return _NGRAMS[key]


def open_first_answers(folder: Path, beside: Container[str]) -> "NgramClassifier | None":
    """Loads the n-gram classifier of a folder; returns None if `beside` does not name it."""
    if NGRAM_FILE not in beside:
        return None
    from reviewgen_spark.models.compression.ngram_classifier import load_ngram_classifier

    return load_ngram_classifier(folder / NGRAM_FILE)


def load_shipped_generator(
    shipped: ShippedModel, device: "Device", precision: "Precision", threads: int
) -> "Generator":
    """Returns the worker's generator, as `load_predictor` returns its labeller."""
    from reviewgen_spark.models.generator.generator_folder import load_generator

    generator: Generator = _load_once(
        _GENERATORS, shipped, device, precision, threads, lambda folder, on: load_generator(folder, on, precision)
    )
    return generator


def _load_once(
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
    key = (shipped.sha256, resolved, f"onnx {shipped.beside[ONNX_FILE]}" if is_onnx else precision)
    if key not in loaded:
        torch.set_num_threads(threads)
        folder = local_folder(shipped)
        loaded.clear()  # a new champion replaces the old one; two would double a worker's memory
        loaded[key] = load(folder, resolved)
        _load_count += 1
    return loaded[key]


def local_folder(shipped: ShippedModel) -> Path:
    """Returns the model's folder on this node. One worker writes it under a lock, and every worker checks it.

    Raises:
        StageError: the files arrived damaged, or the artifact store cannot be read from here.
    """
    cache = cache_folder()
    folder = cache / shipped.folder_name
    with (cache / f"{shipped.folder_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(folder, shipped.names, shipped.sha256, shipped.beside):
            staged = Path(tempfile.mkdtemp(prefix="staged-", dir=cache))
            try:
                if shipped.files is None:
                    _fetch(shipped, staged)
                else:
                    for name, content in shipped.files.value.items():
                        (staged / name).write_bytes(content)
                if not is_whole(staged, shipped.names, shipped.sha256, shipped.beside):
                    raise StageError(f"the model's files arrived damaged, expected sha256 {shipped.sha256}")
                # Files of a damaged folder are not overwritten, because another worker may have them mapped.
                shutil.rmtree(folder, ignore_errors=True)
                staged.rename(folder)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
    return folder


def _fetch(shipped: ShippedModel, folder: Path) -> None:
    """Copies a model's files from the artifact store into a folder: from a path, or by MLflow from a URI."""
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
    except Exception as error:  # a store's client may raise any exception
        raise StageError(
            f"the artifact store at {uri} cannot be read from this executor ({type(error).__name__}); make it "
            "reachable, or set weights: broadcast and broadcast_max_mb above the model's size (label, generation)"
        ) from error
