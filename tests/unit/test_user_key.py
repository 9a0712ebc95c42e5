"""The file of the user key: created once by processes that start together, and never replaced in silence."""

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from reviewgen_spark.config import load_config
from reviewgen_spark.errors import ConfigError
from reviewgen_spark.operations.doctor.health_checks import check_user_key
from reviewgen_spark.orchestration.resources.user_key import user_key

PROCESSES = 8


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVIEWGEN_USER_KEY", raising=False)


def key_below(root: str) -> bytes:
    key: bytes = user_key(load_config("local", [f"paths.root={root}"])).value
    return key


def _start(barrier: Any, results: Any, roots: list[str]) -> None:
    for root in roots:
        barrier.wait(60)
        try:
            results.put(key_below(root).hex())
        except Exception as error:
            results.put(type(error).__name__)


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    context = get_context("fork")
    roots = [str(tmp_path / str(n)) for n in range(30)]
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=_start, args=(barrier, results, roots)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    keys = [results.get(timeout=120) for _ in range(PROCESSES * len(roots))]
    for worker in workers:
        worker.join(60)
    assert set(keys) == {key_below(root).hex() for root in roots}
    assert all([file.name for file in Path(root).iterdir()] == ["user_key"] for root in roots), (
        "no file is left beside the key"
    )


def test_without_hard_links_there_is_still_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*paths: Any) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "link", no_link)
    barrier = Barrier(PROCESSES)

    def start(root: Path) -> bytes:
        barrier.wait(60)
        return key_below(str(root))

    with ThreadPoolExecutor(PROCESSES) as pool:
        for n in range(20):
            assert len(set(pool.map(start, [tmp_path / str(n)] * PROCESSES))) == 1
    assert stat.S_IMODE((tmp_path / "0" / "user_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\0" * 64, "damaged"),
        (b"\xff\xfe" * 20, "damaged"),
        (b"a secret of sixteen\nand another line", "damaged"),
        (b"0123456789abcde", "shorter than 16"),
    ],
)
def test_a_damaged_file_is_named_and_stays(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "user_key"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=fault) as raised:
        key_below(str(tmp_path))
    assert str(file) in str(raised.value) and "Restore it" in str(raised.value)
    assert not content.strip() or content.decode("utf-8", "replace").strip() not in str(raised.value)
    assert file.read_bytes() == content


@pytest.mark.parametrize("make", [Path.mkdir, lambda file: file.symlink_to("missing")])
def test_what_is_no_file_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "user_key")
    with pytest.raises(ConfigError, match="user_key: the file of the user key cannot be read"):
        key_below(str(tmp_path))


@pytest.mark.parametrize("table", ["silver_reviews", "ops_erasures"])
def test_a_lost_file_is_not_replaced_if_tables_have_its_hashes(tmp_path: Path, table: str) -> None:
    key = key_below(str(tmp_path))
    data = tmp_path / "warehouse" / table / "batch_id=1" / "part-0.parquet"
    data.parent.mkdir(parents=True)
    data.touch()
    assert key_below(str(tmp_path)) == key
    (tmp_path / "user_key").rename(tmp_path / "backup")
    with pytest.raises(ConfigError, match=f"missing, and {table} has hashes"):
        key_below(str(tmp_path))
    assert not (tmp_path / "user_key").exists()
    (tmp_path / "backup").rename(tmp_path / "user_key")
    assert key_below(str(tmp_path)) == key


def test_a_file_is_created_beside_tables_without_rows(tmp_path: Path) -> None:
    (tmp_path / "warehouse" / "ops_erasures" / "_delta_log").mkdir(parents=True)
    (tmp_path / "warehouse" / "ops_erasures" / "_delta_log" / "00000000000000000010.checkpoint.parquet").touch()
    assert key_below(str(tmp_path)) == key_below(str(tmp_path))


def test_a_key_of_ones_own_may_be_any_line(tmp_path: Path) -> None:
    (tmp_path / "user_key").write_text("ein geheimer Schlüssel\n", encoding="utf-8")
    assert key_below(str(tmp_path)) == key_below(str(tmp_path))


def test_doctor_fails_for_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "user_key"
    file.touch(0o600)
    finding = check_user_key("", file, "REVIEWGEN_USER_KEY")
    assert finding.level == "fail" and str(file) in finding.message
    file.write_text("0123456789abcdef")
    assert check_user_key("", file, "REVIEWGEN_USER_KEY").level == "ok"
