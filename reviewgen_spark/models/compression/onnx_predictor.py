"""Predicts with the ONNX file of a compressed model, as `Predictor` does. It needs onnxruntime of the extra `onnx`."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reviewgen_spark.errors import MissingExtraError
from reviewgen_spark.models.classifier.model_folder import ONNX_FILE, read_settings
from reviewgen_spark.models.classifier.predictor import Predictor
from reviewgen_spark.models.classifier.tokenizer import Tokenizer
from reviewgen_spark.models.compression.onnx_export import load_onnx

RUNTIME = "onnxruntime"


def require_onnxruntime() -> None:
    """Checks that the library is installed. Call it before Spark starts; executors need the library as well.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec(RUNTIME) is None:
        raise MissingExtraError(
            f"label.runtime: onnx needs {RUNTIME}, which is not installed; install reviewgen-spark[onnx] here and on "
            "the executors, or set label.runtime=torch"
        )


class OnnxPredictor(Predictor):
    """Runs a classifier in float32 on a CPU. It has no token states, so it gives no embeddings."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Loads a model folder that contains its ONNX file.

        Raises:
            ModelNotFoundError: the folder is not a model folder.
            MissingExtraError: onnxruntime is not installed.
        """
        require_onnxruntime()
        self.settings = read_settings(folder)
        self.device = "cpu"
        self.tokenizer = Tokenizer(folder / "tokenizer.json", self.settings.max_tokens)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.pad_id = int(config.get("pad_token_id") or 0)
        self._reads_types = False
        self._compute_logits = load_onnx(folder / ONNX_FILE, self.pad_id, threads)

    def logits(
        self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
    ) -> npt.NDArray[np.float64]:
        """Returns (B, labels) raw logits of one batch of token ids. The file takes no token types."""
        return self._compute_logits(rows)
