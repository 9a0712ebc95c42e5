"""Ships the files of a labeller or a generator from the driver to the executors.

The driver broadcasts the files, and Spark sends them to each executor once. For `label.weights: localcache` and for big
models, each node fetches them from the artifact store of the registry instead. `worker.py` loads them on a node.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from reviewgen_spark.config import LabelSection
from reviewgen_spark.errors import ConfigError, ModelNotFoundError
from reviewgen_spark.models.classifier.model_folder import MODEL_FILES, NGRAM_FILE, ONNX_FILE, file_sha256, files_sha256

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class ModelLike(Protocol):
    """Describes a registered model as far as shipping needs it."""

    @property
    def name(self) -> str:
        """Returns the registered name."""

    @property
    def version(self) -> int:
        """Returns the registered version."""

    @property
    def sha256(self) -> str:
        """Returns `files_sha256` of its files."""

    @property
    def path(self) -> Path:
        """Returns the model folder, as the driver sees it."""

    @property
    def uri(self) -> str:
        """Returns the same folder in the artifact store: a path or URI that executors reach. Only for localcache."""


@dataclass(frozen=True)
class ShippedModel:
    """Refers to a shipped model in a task's closure: the hash, and where the files are.

    Attributes:
        sha256: the expected value of `files_sha256`.
        files: Broadcast[dict[str, bytes]] by file name; None where the node fetches them.
        uri: the folder in the artifact store.
        names: the files that the model is made of.
        beside: sha256 by name of further files that a worker needs: the ONNX file that it runs instead of the
            weights, the n-gram classifier that labels first.
    """

    sha256: str
    files: Any = None
    uri: str = ""
    names: tuple[str, ...] = MODEL_FILES
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder_name(self) -> str:
        """Returns the name of its folder on a node."""
        return "-".join((self.sha256, *(self.beside[name] for name in sorted(self.beside))))


# One broadcast an application and model, on the driver, because all batches of a night use the same one.
_SHIPPED: dict[tuple[str, str, bool, tuple[tuple[str, str], ...]], ShippedModel] = {}


def files_beside(section: LabelSection) -> tuple[str, ...]:
    """Returns the files of a compressed version that these settings need besides the model's own files."""
    return (*([ONNX_FILE] if section.runtime == "onnx" else []), *([NGRAM_FILE] if section.cascade else []))


def ship(
    spark: "SparkSession",
    model: ModelLike,
    weights: Literal["broadcast", "localcache"] = "broadcast",
    broadcast_max_mb: int = 512,
    names: tuple[str, ...] = MODEL_FILES,
    beside: tuple[str, ...] = (),
) -> ShippedModel:
    """Broadcasts a model's files, once an application, or only records where nodes can fetch them.

    Args:
        spark: the session.
        model: a registered model.
        weights: `broadcast` from the driver, or `localcache`: each node fetches them from the artifact store.
        broadcast_max_mb: a bigger model goes by localcache, because the driver holds broadcast files in memory.
        names: the files of the model; those of a labeller, or `GENERATOR_FILES`.
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
    # Two versions may have the same weights and other files beside them. A missing file is never in the cache.
    hashes = {name: file_sha256(model.path / name) for name in beside if (model.path / name).is_file()}
    key = (
        spark.sparkContext.applicationId,
        model.sha256,
        is_fetched,
        tuple((name, hashes.get(name, "")) for name in beside),
    )
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
            broadcast = spark.sparkContext.broadcast(files)
            _SHIPPED[key] = ShippedModel(model.sha256, broadcast, names=names, beside=hashes)
    return _SHIPPED[key]
