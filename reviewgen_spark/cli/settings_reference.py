"""Writes docs/configuration.md: every setting with its type, its default and its meaning.

`python -m reviewgen_spark.cli.settings_reference FILE` writes the file. A test compares it with the sections.
"""

import inspect
import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reviewgen_spark.config.root import Config
from reviewgen_spark.config.section import is_execution
from reviewgen_spark.pipelines import all_stages

_HEAD = """# Configuration

Generated from `reviewgen_spark/config/` by `make docs`; do not edit.

Later sources override earlier ones: `conf/base.yaml`, `conf/quality.yaml`, `conf/<env>.yaml`,
`--set section.key=value`. The defaults here are those of the code; `conf/` sets other values for some keys. An unknown
key ends a run before Spark starts.

The column *again* shows whether another value makes stages compute their rows again. *yes*: the key is part of the
fingerprint of the stages above the table. *no*: the work may be done in another way, but existing rows stay.
"""


def render_reference() -> str:
    """Returns all sections with their keys, as Markdown."""
    return _HEAD + "".join(_render_section(key, model) for key, model in walk_sections())


def walk_sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yields each section with its dotted key; a nested section follows the one that contains it."""
    for name, field in Config.model_fields.items():
        yield from _walk(name, field)


def _walk(key: str, field: FieldInfo) -> Iterator[tuple[str, type[BaseModel]]]:
    if (model := _model_of(field)) is not None:
        yield key, model
        for name, inner in model.model_fields.items():
            yield from _walk(f"{key}.{name}", inner)
    elif (model := _model_of_values(field)) is not None:
        yield f"{key}.<name>", model


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _model_of_values(field: FieldInfo) -> type[BaseModel] | None:
    """Returns the model of a mapping's values, such as the rules of `quality`."""
    arguments = typing.get_args(field.annotation)
    is_mapping = typing.get_origin(field.annotation) is dict
    return (
        arguments[1] if is_mapping and inspect.isclass(arguments[1]) and issubclass(arguments[1], BaseModel) else None
    )


def _render_section(key: str, model: type[BaseModel]) -> str:
    stages = [f"`{stage.name}`" for stage in all_stages() if key.partition(".")[0] in stage.sections]
    fingerprint = f"In the fingerprint of {', '.join(stages)}." if stages else "In no fingerprint."
    rows = "".join(
        f"| `{name}` | {_type(field)} | {_default(field)} | {_computes_again(field, bool(stages))} "
        f"| {_escape_cell(field.description or '')} |\n"
        for name, field in model.model_fields.items()
        if _model_of(field) is None
    )
    table = f"| key | type | default | again | meaning |\n|---|---|---|---|---|\n{rows}" if rows else ""
    return f"\n## {key}\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n{fingerprint}\n\n{table}"


def _computes_again(field: FieldInfo, is_in_fingerprint: bool) -> str:
    return "yes" if is_in_fingerprint and not is_execution(field) else "no"


def _type(field: FieldInfo) -> str:
    return ", ".join([_kind(field.annotation), *_bounds(field)])


def _kind(kind: Any) -> str:
    """Returns the name of a type for readers of YAML."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join("not set" if part is type(None) else _kind(part) for part in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"list of {_kind(arguments[0])}"
        return f"list of {len(arguments)} {_kind(arguments[0])}"
    if origin is dict:
        return "mapping"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names[kind]


def _bounds(field: FieldInfo) -> list[str]:
    bounds = []
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge=value):
                bounds.append(f"at least {value:,}")
            case annotated_types.Gt(gt=value):
                bounds.append(f"above {value:,}")
            case annotated_types.Le(le=value):
                bounds.append(f"at most {value:,}")
            case annotated_types.Lt(lt=value):
                bounds.append(f"below {value:,}")
            case annotated_types.MinLen():
                bounds.append("not empty")
            case _:
                bounds.append(f"matches `{bound.pattern}`")
    return bounds


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "to be set"
    value = field.get_default(call_default_factory=True)
    return "not set" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_reference(), encoding="utf-8")
