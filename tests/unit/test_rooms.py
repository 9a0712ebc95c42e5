"""Checks which module imports which: rooms import only lower rooms, and there are no import cycles."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.unit.rooms import ORDER, forbidden_to, room_of
from tests.unit.source_tree import PACKAGE, ROOT, Module, SourceTree

TREE = SourceTree()
RANK = {room: rank for rank, room in enumerate(ORDER)}


def upward_imports(tree: SourceTree, module: Module) -> list[str]:
    """Returns the imports of a module that its room must not have, or that are above its room."""
    faults = []
    here = room_of(module)
    for target in sorted(tree.imports(module) - {PACKAGE}):
        is_own = target in tree.modules
        there = room_of(tree.modules[target]) if is_own else target.partition(".")[0]
        if there.partition(".")[0] in forbidden_to(here):
            faults.append(f"{here} must not import {target}")
        elif is_own and RANK[there] > RANK[here]:
            faults.append(f"{module.name} imports {target}, and {there} is above {here}")
    return faults


@pytest.mark.parametrize("module", TREE.modules.values(), ids=lambda module: module.name)
def test_a_module_imports_only_lower_rooms(module: Module) -> None:
    assert module.name == PACKAGE or upward_imports(TREE, module) == []


def test_there_are_no_import_cycles() -> None:
    assert TREE.cycles() == []


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("text.cleaning.cleaner", "from reviewgen_spark.text.checks.voice import leaked", "text.checks is above"),
        ("warehouse.tables", "from reviewgen_spark import operations", "operations is above"),
        ("warehouse.tables", "from reviewgen_spark.operations import maintenance", "operations is above"),
        ("transforms.clean", "from reviewgen_spark import models", "must not import"),
        ("transforms.clean", "import torch", "must not import torch"),
        ("transforms.clean", "from reviewgen_spark.warehouse.tables import Warehouse", "must not import"),
    ],
)
def test_a_forbidden_import_is_reported(module: str, line: str, fault: str) -> None:
    name = f"{PACKAGE}.{module}"
    text = TREE.modules[name].path.read_text(encoding="utf-8")
    tree = SourceTree(replaced={name: f"{text}\n\ndef planted() -> None:\n    {line}\n"})
    [reported] = upward_imports(tree, tree.modules[name])
    assert fault in reported


def test_an_import_cycle_is_reported() -> None:
    name = f"{PACKAGE}.text.cleaning.emoji"
    text = TREE.modules[name].path.read_text(encoding="utf-8")
    tree = SourceTree(replaced={name: f"{text}\nfrom reviewgen_spark.text.cleaning import normalise\n"})
    assert tree.cycles() == [[name, f"{PACKAGE}.text.cleaning.normalise"]]


def test_every_room_is_in_the_list_once() -> None:
    rooms = {room_of(module) for module in TREE.modules.values() if module.name != PACKAGE}
    assert sorted(ORDER) == sorted(rooms)


def test_the_document_shows_the_rooms_in_the_order_of_the_list() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("\n## Rooms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w./]+)` \|", table, flags=re.MULTILINE)
    shown = [row.removesuffix(".py").rstrip("/").replace("/", ".") for row in rows]
    assert shown == list(ORDER), "docs/architecture.md, Rooms"


def test_the_package_has_at_most_fourteen_entries() -> None:
    entries = {path.name for path in (ROOT / PACKAGE).iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert len(entries) <= 14, sorted(entries)


def rooms_that_import(*libraries: str) -> set[str]:
    return {
        room_of(module)
        for module in TREE.modules.values()
        if any(target.partition(".")[0] in libraries for target in TREE.imports(module))
    }


def test_only_the_registry_imports_mlflow() -> None:
    assert rooms_that_import("mlflow") == {"models.registry"}


def test_only_the_warehouse_imports_delta() -> None:
    assert rooms_that_import("delta", "deltalake") == {"warehouse"}


def test_the_wheel_has_every_package() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    named = {setuptools["package-dir"].get(name, name.replace(".", "/")) for name in setuptools["packages"]}
    assert {str(module.path.parent.relative_to(ROOT)) for module in TREE.modules.values()} <= named


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, reviewgen_spark, reviewgen_spark.cli; print({'pyspark', 'torch', 'mlflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
