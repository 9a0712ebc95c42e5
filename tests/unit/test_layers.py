"""Who may import whom, as docs/architecture.md draws it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.unit.source_tree import ROOT, SourceTree

PACKAGE = ROOT / "reviewgen_spark"

# A module may import modules of its own rank and of lower ones.
RANKS = {
    "errors": 0, "progress": 0, "sections": 0, "config": 0, "schemas": 0,
    "text": 1,
    "transforms": 2, "models": 2,
    "inference": 3,
    "products": 4,
    "delta_log": 5, "convergence": 5, "records": 5, "tables": 5, "upkeep": 5, "artifacts": 5,
    "stage": 5, "backlog": 5, "session": 5, "jars": 5, "ledger": 5, "lease": 5, "runner": 5, "assets": 5,
    "training": 5, "compression": 5, "model_log": 5, "comparison": 5, "job": 5, "charts": 5, "sample": 5, "report": 5,
    "freshness": 5, "page": 5, "status": 5, "erasure_log": 5, "environment": 5, "score_charts": 5, "model_page": 5,
    "generator_stages": 5, "generation": 5,
    "jobs": 6,
    "pipelines": 7,
    "file_evaluation": 8, "search": 8, "erasure": 8, "landing_erasure": 8, "learnt": 8, "leftovers": 8,
    "maintenance": 8,
    "functions": 8, "shell": 8, "doctor": 8, "findings": 8, "estimation": 8,
    "catalog": 8, "file_generation": 8, "promotion": 8, "demo": 8, "cli": 8, "data_dictionary": 8,
    "export": 8, "gallery": 8, "query_result": 8,
    "settings_reference": 8,
}  # fmt: skip
FORBIDDEN = {
    "text": {"pyspark", "torch", "transformers"},
    "models": {"pyspark", "delta"},
    "transforms": {"torch", "transformers", "mlflow"},
    "products": {"torch", "transformers", "mlflow"},
}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    name = parts[1] if parts[0] == "reviewgen_spark" else parts[0]
    name = name.removesuffix(".py")
    return "report" if name.startswith("report") else "sample" if name.startswith("sample") else name


TREE = SourceTree()
BY_PATH = {module.path: module for module in TREE.modules.values()}
FILES = sorted(BY_PATH)


def imported(path: Path) -> set[str]:
    return TREE.imports(BY_PATH[path])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    for module in imported(path):
        top, _, rest = module.partition(".")
        if top == "reviewgen_spark" and rest:
            other = rest.split(".")[0]
            other = "report" if other.startswith("report") else "sample" if other.startswith("sample") else other
            assert RANKS[other] <= RANKS[here], f"{here} must not import {other}"
            assert {here, other} != {"models", "transforms"}, f"{here} must not import {other}"
        assert top not in FORBIDDEN.get(here, set()), f"{here} must not import {top}"


def test_only_the_registers_know_mlflow() -> None:
    knowing = {path.name for path in FILES if any(m.split(".")[0] == "mlflow" for m in imported(path))}
    registers = {"registry.py", "registration.py", "promotion.py", "generator_registry.py", "mlflow_store.py"}
    assert knowing <= {*registers, "mlflow_model.py", "pyfunc.py"}


def test_the_wheel_has_every_package() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    named = {setuptools["package-dir"].get(name, name.replace(".", "/")) for name in setuptools["packages"]}
    assert {str(path.parent.relative_to(ROOT)) for path in FILES if path.name == "__init__.py"} <= named


def test_importing_the_package_is_light() -> None:
    code = "import sys, reviewgen_spark, reviewgen_spark.cli; print({'pyspark', 'torch', 'mlflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
