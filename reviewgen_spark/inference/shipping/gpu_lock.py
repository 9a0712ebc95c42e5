"""Many CPU tasks, one GPU: a task takes the GPU for a batch, and prepares its next one while others have it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from reviewgen_spark.inference.shipping.model_cache import cache_folder


@contextmanager
def gpu_lock(device: str) -> Iterator[None]:
    """Hold this node's lock of the GPU that the process sees; nothing to wait for on a CPU."""
    if device == "cpu":
        yield
        return
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace("/", "-")
    with (cache_folder() / f"gpu-{visible}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            torch.cuda.empty_cache()  # what this process keeps for its next batch, no other could take
