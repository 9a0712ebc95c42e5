"""Runs the examples in the docstrings of every module that has any."""

import doctest
import importlib

import pytest

from tests.unit.source_tree import SourceTree

MODULES = sorted(
    name for name, module in SourceTree().modules.items() if ">>> " in module.path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_pass(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0


def test_many_modules_have_examples() -> None:
    assert len(MODULES) >= 45
