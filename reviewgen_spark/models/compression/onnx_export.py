"""Exports a model folder to one ONNX file, for runtimes other than torch. Needs the extra `onnx`.

input_ids, attention_mask   (batch, length) int64, dynamic sizes output of the folder's tokenizer.json
logits                      (batch, width of all heads) float32  reviewgen.json has the columns of each head
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reviewgen_spark.errors import MissingExtraError, StageError
from reviewgen_spark.models.classifier.loading import load_classifier
from reviewgen_spark.models.data.batches import pad

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
MAX_DIFFERENCE = 1e-4  # of a logit; another order of summation changes about 1e-6
# (rows, length): lengths that differ from the trace, a batch of one row, and a row far shorter than its batch.
PROBES = ((1, 3), (1, 40), (5, 17))


def require_onnx() -> None:
    """Checks that the extra is installed. Call it before a long training.

    Raises:
        MissingExtraError: a library is not installed.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"compress.onnx: {', '.join(missing)} not installed; install reviewgen-spark[onnx], or set "
            "compress.onnx=false"
        )


def export_onnx(folder: Path, file: Path) -> float:
    """Writes the classifier in float32, runs the file, and returns the largest difference of a logit from torch.

    Raises:
        MissingExtraError: the extra is not installed.
        ModelNotFoundError: the folder is not a model folder.
        StageError: the file gives other logits than torch; the file is removed.
    """
    require_onnx()
    model = load_classifier(folder).eval()
    shape = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1, max=_max_length(model))}
    ids = torch.full((2, 16), 5, dtype=torch.int64)
    with _quiet_exporter():
        torch.onnx.export(
            _Logits(model),
            (ids, torch.ones_like(ids)),
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": shape, "attention_mask": shape},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    pad_id = int(model.config.pad_token_id or 0)
    compute_logits, rng = load_onnx(file, pad_id), np.random.default_rng(0)
    difference = 0.0
    for batch, length in PROBES:
        rows = [
            rng.integers(0, int(model.config.vocab_size), max(1, length // (1 + row))).tolist() for row in range(batch)
        ]
        tokens, mask = pad(rows, pad_id)
        with torch.inference_mode():
            expected = model(input_ids=tokens, attention_mask=mask).logits.double().numpy()
        difference = max(difference, float(np.abs(compute_logits(rows) - expected).max()))
    if not difference <= MAX_DIFFERENCE:  # NaN fails too
        file.unlink()
        raise StageError(
            f"compress: a logit of {file.name} differs from torch by {difference:.2g}, allowed are "
            f"{MAX_DIFFERENCE:g}; set compress.onnx=false to continue without the file"
        )
    return difference


def load_onnx(
    file: Path, pad_id: int, threads: int = 1
) -> Callable[[Sequence[Sequence[int]]], npt.NDArray[np.float64]]:
    """Loads the file, and returns a function from one batch of token ids to (B, width of all heads) logits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def compute_logits(rows: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        ids, mask = pad(rows, pad_id)  # (B, T), (B, T)
        (logits,) = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        return np.asarray(logits, dtype=np.float64)

    return compute_logits


def _max_length(model: Any) -> int:
    return int(getattr(model.config, "max_position_embeddings", 512))


class _Logits(torch.nn.Module):
    """Wraps a classifier so that it returns only its logits, because ONNX has no named outputs."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hides warnings of the exporter about torchvision, names of axes, and deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
