import threading
from pathlib import Path

import pytest

from reviewgen_spark.inference.shipping import model_cache
from reviewgen_spark.inference.shipping.gpu_lock import gpu_lock


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(model_cache.CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def take_turn(device: str) -> threading.Event:
    entered = threading.Event()

    def work() -> None:
        with gpu_lock(device):
            entered.set()

    threading.Thread(target=work, daemon=True).start()
    return entered


def test_a_gpu_runs_one_task_at_a_time() -> None:
    with gpu_lock("cuda"):
        other = take_turn("cuda")
        assert not other.wait(0.3)
    assert other.wait(30)


def test_tasks_on_a_cpu_do_not_wait(cache: Path) -> None:
    with gpu_lock("cpu"):
        assert take_turn("cpu").wait(30)
    assert list(cache.iterdir()) == []
