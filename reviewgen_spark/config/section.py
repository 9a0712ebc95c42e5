"""Declares the base class of sections, with its result fields, execution fields and added fields."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


def execution(default: Any, **constraints: Any) -> Any:
    """Declares a field that changes how a stage runs, but not what it writes."""
    return Field(default, json_schema_extra={"part": "execution"}, **constraints)


def added(default: Any, **constraints: Any) -> Any:
    """Declares a result field that an earlier release did not have.

    While it has its default, it is not in the fingerprint, so that no table is computed again because of it.
    """
    return Field(default, json_schema_extra={"part": "added"}, **constraints)


class Section(BaseModel):
    """Defines the base class of all sections: it is frozen, and it refuses unknown keys to catch typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def result_part(self) -> dict[str, Any]:
        """Returns the fields that shape a stage's rows, as plain JSON values, for its fingerprint."""
        fields = type(self).model_fields
        dumped = self.model_dump(mode="json")
        inner = {name: getattr(self, name) for name in fields}
        return {
            name: inner[name].result_part() if isinstance(inner[name], Section) else dumped[name]
            for name in sorted(fields)
            if not is_execution(fields[name])
            and not (_part(fields[name]) == "added" and inner[name] == fields[name].default)
        }


def is_execution(field: FieldInfo) -> bool:
    """Returns whether a field was declared with `execution(...)`."""
    return bool(_part(field) == "execution")


def _part(field: FieldInfo) -> object:
    extra = field.json_schema_extra
    return extra.get("part") if isinstance(extra, dict) else None
