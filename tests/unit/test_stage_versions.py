"""Checks that a stage whose code changed has a new `version`.

The list has the version of each stage, and a hash of all code that its run function uses, directly or indirectly. A
changed stage needs a new version if its rows change. Then renew the list:
`python -m tests.unit.test_stage_versions`.
"""

import json
from pathlib import Path

import pytest

from tests.unit.source_tree import PACKAGE, Definition, SourceTree

LIST = Path(__file__).parents[1] / "fixtures" / "stage_versions.json"

# Code of these rooms is followed. Code of the other rooms does not change the rows of one stage:
# config, schemas   their values and columns enter the fingerprint, or are checked when a table is written
# the runner        passes tables to the stage and writes them unchanged
# resources         models, keys and word lists enter the fingerprint by the hash of their content
# pages             are never read by a stage
FOLLOWED = {"jobs", "text", "transforms", "products", "models", "inference"}
# Runs Python functions over batches, and reads what a generator learns from.
EXTRA = {f"{PACKAGE}.schemas.arrow", f"{PACKAGE}.orchestration.resources.generator_examples"}
# The report alone writes no rows.
NOT_LISTED = {"report"}


def _is_followed(module: str) -> bool:
    return module in EXTRA or (module.split(".")[1:2] != [] and module.split(".")[1] in FOLLOWED)


def code_of(tree: SourceTree, stage: str) -> set[Definition]:
    """Returns all definitions that the run function of a stage uses."""
    return tree.closure([Definition(f"{PACKAGE}.jobs.{stage}", "STAGE")], _is_followed)


def current(tree: SourceTree) -> dict[str, dict[str, object]]:
    from reviewgen_spark.pipelines import all_stages

    versions = {stage.name: stage.version for stage in all_stages() if stage.name not in NOT_LISTED}
    return {
        name: {"version": version, "code": tree.code_hash(code_of(tree, name))}
        for name, version in sorted(versions.items())
    }


def faults(tree: SourceTree) -> list[str]:
    """Returns the next step for each stage whose code differs from the list."""
    committed, now = json.loads(LIST.read_text(encoding="utf-8")), current(tree)
    messages = [f"{name}: in the list or in the pipelines only" for name in set(committed) ^ set(now)]
    for name in set(committed) & set(now):
        if now[name] != committed[name]:
            is_bumped = now[name]["version"] != committed[name]["version"]
            step = "renew the list" if is_bumped else "bump its version if its rows change, then renew the list"
            messages.append(f"{name}: its code changed: {step} (python -m tests.unit.test_stage_versions)")
    return sorted(messages)


@pytest.fixture(scope="module")
def tree() -> SourceTree:
    return SourceTree()


def test_code_that_changed_has_a_new_version(tree: SourceTree) -> None:
    assert faults(tree) == []


def test_the_code_of_a_stage_includes_functions_that_change_its_rows(tree: SourceTree) -> None:
    """These functions are in modules that a list by hand once missed."""
    for stage, name in (
        ("clean", "judge_reviews"), ("clean", "english_pairs"), ("dedup", "key_of"), ("label", "probabilities"),
        ("summarise", "mask"), ("reply", "mask"), ("generate", "Evidence"), ("reply", "make_watermark"),
    ):  # fmt: skip
        assert any(definition.name == name for definition in code_of(tree, stage)), f"{stage} does not reach {name}"


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("transforms.quality", {"clean"}),
        ("models.classifier.heads", {"label", "finetune"}),
        ("text.privacy.pii", {"clean", "reply"}),
    ],
)
def test_a_changed_function_is_reported_for_its_stages(module: str, stages: set[str]) -> None:
    name = f"{PACKAGE}.{module}"
    text = SourceTree().modules[name].path.read_text(encoding="utf-8")
    assert text.count("return ") > 0
    changed = SourceTree(replaced={name: text.replace("return ", "return None or ")})
    reported = {fault.partition(":")[0] for fault in faults(changed)}
    assert stages <= reported and "split" not in reported


def test_docstrings_and_comments_are_not_part_of_the_code(tree: SourceTree) -> None:
    name = f"{PACKAGE}.transforms.quality"
    text = tree.modules[name].path.read_text(encoding="utf-8")
    assert faults(SourceTree(replaced={name: text.replace('"""', '"""Other words. ', 1) + "\n# a comment\n"})) == []


if __name__ == "__main__":
    LIST.write_text(json.dumps(current(SourceTree()), indent=1) + "\n", encoding="utf-8")
