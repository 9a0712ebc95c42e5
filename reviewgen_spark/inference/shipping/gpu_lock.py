"""Locks the GPU of a node for one task at a time. Other tasks prepare their next batch meanwhile."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from reviewgen_spark.inference.shipping.model_cache import cache_folder


@contextmanager
def gpu_lock(device: str) -> Iterator[None]:
    """Holds this node's lock of the GPU that the process sees. On a CPU there is no lock."""
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
            torch.cuda.empty_cache()  # other processes cannot use memory that this one keeps for its next batch
