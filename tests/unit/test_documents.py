import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from reviewgen_spark.cli.parser import build_parser
from reviewgen_spark.cli.reference import arguments_of, common_options, is_group, render_commands, walk
from reviewgen_spark.cli.settings_reference import render_reference, walk_sections
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.schemas.data_dictionary import render_dictionary

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMANDS = [command for command in walk(build_parser()) if not is_group(command)]


def test_the_data_dictionary_is_up_to_date() -> None:
    written = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert written == render_dictionary(), "run `make docs`"


def test_every_column_has_a_comment() -> None:
    for table in TABLES.values():
        for column in table.columns:
            assert (column.metadata or {}).get("comment"), f"{table.name}.{column.name}"


def test_keys_and_partitions_are_columns() -> None:
    for table in TABLES.values():
        assert set(table.key) | set(table.partition_by) <= set(table.columns.names), table.name


def test_no_table_check_uses_a_text_column() -> None:
    texts = ("text", "title", "raw_record", "user_id", "tokens")
    for table in TABLES.values():
        for condition in table.checks.values():
            assert not any(name in condition.split() for name in texts)


@pytest.mark.parametrize("columns", ["10", "300"])
def test_commands_md_is_up_to_date_at_every_width(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == render_commands(), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.prog)
def test_every_command_has_a_purpose_an_example_and_help_for_its_options(command: argparse.ArgumentParser) -> None:
    assert command.description
    assert command.prog in command.get_default("example"), "the example runs another command"
    assert command.get_default("exit_codes").startswith("0 ")
    for action in (*common_options(), *arguments_of(command)):
        assert action.help, action.dest


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.prog)
def test_the_help_of_a_command_shows_its_example(command: argparse.ArgumentParser) -> None:
    for line in command.get_default("example").splitlines():
        assert line in command.format_help()


def test_every_example_is_accepted_by_the_parser() -> None:
    for command in COMMANDS:
        for line in command.get_default("example").splitlines():
            words = shlex.split(line, comments=True)
            if words[0] == "reviewgen":
                options = build_parser().parse_args(words[1:])
                assert options.run is command.get_default("run"), line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_point_to_existing_files_and_headings(document: Path) -> None:
    for target, anchor in _links(document.read_text(encoding="utf-8")):
        linked = document.parent / target if target else document
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), f"{target}#{anchor}"


def test_links_in_code_and_to_other_sites_are_left_out() -> None:
    text = "[a](b.md#c-d) ![e](f.png) `[g](h.md)` [i](https://example.com/j.md)\n```\n[k](l.md)\n```\n[m](#n)"
    assert list(_links(text)) == [("b.md", "c-d"), ("f.png", ""), ("", "n")]
    assert _anchors("# What `it` is (5)\n\n## Second, 二\n") == {"what-it-is-5", "second-二"}


def _links(text: str) -> Iterator[tuple[str, str]]:
    """Yields path and anchor of each relative link of a Markdown text."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" not in link:
            target, _, anchor = link.partition("#")
            yield target, anchor


def _anchors(text: str) -> set[str]:
    """Returns the anchors of the headings of a Markdown text, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_of_settings_is_up_to_date() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == render_reference(), "run `make docs`"


def test_every_setting_has_a_description() -> None:
    sections = dict(walk_sections())
    assert {"paths", "generation.decoding", "quality.rules.<name>"} <= set(sections)
    for key, model in sections.items():
        assert model.__doc__, key
        for name, field in model.model_fields.items():
            assert field.description or f"{key}.{name}" in sections, f"{key}.{name}"


def test_the_reference_says_which_settings_change_results() -> None:
    rows = dict.fromkeys(render_reference().splitlines())
    assert any(row.startswith("| `precision` |") and "| yes | precision of " in row for row in rows)
    assert any(row.startswith("| `window_rows` |") and "| no |" in row for row in rows)
    assert not any(row.startswith("| `retention_days` |") and "| yes |" in row for row in rows)


def test_the_tests_that_the_page_on_input_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "input.md").read_text(encoding="utf-8")))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    assert named and [name for name in sorted(named) if not any(f"def {name}(" in source for source in sources)] == []
