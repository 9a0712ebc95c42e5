from pathlib import Path

from reviewgen_spark.data_dictionary import render_dictionary
from reviewgen_spark.schemas import TABLES
from reviewgen_spark.settings_reference import render_reference, walk_sections

ROOT = Path(__file__).parents[2]


def test_the_data_dictionary_is_up_to_date() -> None:
    written = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert written == render_dictionary(), "run `make docs`"


def test_every_column_says_what_it_means() -> None:
    for table in TABLES.values():
        for column in table.columns:
            assert (column.metadata or {}).get("comment"), f"{table.name}.{column.name}"


def test_keys_and_partitions_are_columns() -> None:
    for table in TABLES.values():
        assert set(table.key) | set(table.partition_by) <= set(table.columns.names), table.name


def test_no_check_names_a_text_column() -> None:
    texts = ("text", "title", "raw_record", "user_id", "tokens")
    for table in TABLES.values():
        for condition in table.checks.values():
            assert not any(name in condition.split() for name in texts)


def test_the_reference_of_settings_is_up_to_date() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == render_reference(), "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    sections = dict(walk_sections())
    assert {"paths", "generation.decoding", "quality.rules.<name>"} <= set(sections)
    for key, model in sections.items():
        assert model.__doc__, key
        for name, field in model.model_fields.items():
            assert field.description or f"{key}.{name}" in sections, f"{key}.{name}"


def test_the_reference_tells_what_is_computed_again() -> None:
    rows = dict.fromkeys(render_reference().splitlines())
    assert any(row.startswith("| `precision` |") and "| yes | of weights and activations" in row for row in rows)
    assert any(row.startswith("| `window_rows` |") and "| no |" in row for row in rows)
    assert not any(row.startswith("| `retention_days` |") and "| yes |" in row for row in rows)
