"""Imports the modules of a labeller in the process that Spark forks Python workers from, before the first fork.

A forked worker shares what this process has imported, and starts without importing it. Spark keeps one such process
for each set of environment variables of a function. So only functions defined inside `preload.preloading` get workers
of this kind, and stages of text keep plain workers. Sessions in local mode name this module in
`spark.python.daemon.module`. On a cluster the module may not be importable when the process starts, so there Spark's
own process is used.
"""

import gc
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from reviewgen_spark.inference.shipping.preload import VARIABLE


def preload(modules: Sequence[str]) -> None:
    """Imports modules that start no thread. A fork copies no thread, only its locks; pyarrow starts threads."""
    with suppress(ImportError):  # a worker that lacks a module reports it in its task
        for module in modules:
            import_module(module)
    gc.freeze()  # a worker collects garbage after each task, and would copy every page that it reads


if __name__ == "__main__":
    from pyspark import daemon

    if VARIABLE in os.environ:
        preload(os.environ[VARIABLE].split(","))
    daemon.manager()  # type: ignore[no-untyped-call]
