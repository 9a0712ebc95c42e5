"""Measures the memory of the Python workers of a Spark session in this process."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_EVERY_S = 1.0  # the peak is kept by the kernel, so nothing is missed between two samples


class WorkerMemory:
    """Samples the peak resident memory of each worker process below this one."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "WorkerMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.peak_mb = max([self.peak_mb, *_peaks()])


def _peaks() -> Iterator[float]:
    for folder in Path("/proc/self").resolve().parent.glob("[0-9]*"):
        try:
            if b"pyspark.worker" not in (folder / "cmdline").read_bytes() or not _is_ours(folder.name):
                continue
            status = (folder / "status").read_text()
        except OSError:
            continue
        yield int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _is_ours(process: str) -> bool:
    own = Path("/proc/self").resolve().name
    while process not in ("0", "1", own):
        process = (Path("/proc") / process / "stat").read_text().rpartition(")")[2].split()[1]
    return process == own
