"""Who may read what a command writes, without Spark."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reviewgen_spark.cli import main
from reviewgen_spark.config import load_config
from reviewgen_spark.operations.doctor.doctor import check_permissions
from reviewgen_spark.orchestration.permissions import restrict_permissions
from reviewgen_spark.orchestration.session import session_settings


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("setting", "folder", "file"), [("private", 0o700, 0o600), ("group", 0o750, 0o640)])
def test_modes_of_new_files(tmp_path: Path, setting: str, folder: int, file: int) -> None:
    config = load_config("local", [f"paths.root={tmp_path}", f"paths.permissions={setting}"])
    restrict_permissions(config.paths.permissions)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b"), mode(tmp_path / "a" / "b" / "c")] == [
        folder,
        folder,
        file,
    ]


def test_a_stricter_umask_stays(tmp_path: Path) -> None:
    os.umask(0o277)
    restrict_permissions("group")
    (tmp_path / "a").write_text("x")
    assert mode(tmp_path / "a") == 0o400


def test_hadoop_gets_the_same_bits() -> None:
    key = "spark.hadoop.fs.permissions.umask-mode"
    assert session_settings(load_config("local"))[key] == "077"
    assert session_settings(load_config("local", ["paths.permissions=group"]))[key] == "027"


@pytest.mark.parametrize(("options", "expected"), [((), 0o600), (("--set", "paths.permissions=group"), 0o640)])
def test_what_a_command_without_spark_writes(tmp_path: Path, options: tuple[str, ...], expected: int) -> None:
    requests, out = tmp_path / "requests.jsonl", tmp_path / "texts.jsonl"
    requests.write_text(
        '{"purpose": "product_copy", "product_id": "p", "language": "zh", "attributes": {"颜色": "红"}}\n',
        encoding="utf-8",
    )
    command = [
        "write",
        "--requests",
        str(requests),
        "--writer",
        "template",
        "--out",
        str(out),
        "--set",
        f"paths.root={tmp_path}",
    ]
    main([*command, *options])
    assert mode(out) == expected


def test_doctor_names_folders_that_others_can_enter(tmp_path: Path) -> None:
    config = load_config("local", [f"paths.root={tmp_path}"])
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    [finding] = check_permissions(config)
    assert finding.level == "warn" and f"chmod -R go= {warehouse}" in finding.next_step
    tmp_path.chmod(0o700)
    assert list(check_permissions(config)) == [], "nobody else can enter a folder below a closed root"
    tmp_path.chmod(0o755)
    warehouse.chmod(0o750)
    assert [finding.level for finding in check_permissions(config)] == ["warn"]
    group = load_config("local", [f"paths.root={tmp_path}", "paths.permissions=group"])
    assert list(check_permissions(group)) == []
    warehouse.chmod(0o755)
    [finding] = check_permissions(group)
    assert f"chmod -R g-w,o= {warehouse}" in finding.next_step
