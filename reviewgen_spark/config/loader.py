"""Loads the configuration: YAML files and `--set` overrides, merged and checked into one frozen `Config`.

Later values replace earlier ones, in the order `conf/base.yaml`, `conf/quality.yaml`, `conf/<env>.yaml`, `--set a.b=c`.
All faults are reported together, each with its file, before Spark starts.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from reviewgen_spark.config.conf_folder import default_conf_folder
from reviewgen_spark.config.messages import hide_secrets
from reviewgen_spark.config.root import Config
from reviewgen_spark.config.warehouse import PathsSection
from reviewgen_spark.errors import ConfigError

_MAX_VALUES = 100_000  # conf/base.yaml has a few hundred
_MAX_SHOWN = 300  # characters of a wrong value


def load_config(env: str | None = None, overrides: Iterable[str] = (), conf: Path | None = None) -> Config:
    """Reads, merges and checks the YAML files and the overrides.

    Args:
        env: Name of the overlay `<env>.yaml`; default `REVIEWGEN_ENV`, then `local`.
        overrides: `a.b=c` strings; the value is read as YAML.
        conf: Folder of the YAML files; default `default_conf_folder()`.

    Raises:
        ConfigError: With all faults, one a line.
    """
    folder = conf or default_conf_folder()
    env = env or os.environ.get("REVIEWGEN_ENV") or "local"
    faults: list[str] = []
    merged: dict[str, Any] = {}
    origin: dict[tuple[str, ...], str] = {}
    for name in ("base", "quality", env):
        path = folder / f"{name}.yaml"
        if not path.is_file():
            known = sorted(p.stem for p in folder.glob("*.yaml") if p.stem not in ("base", "quality"))
            faults.append(f"{path}: no such file; --env takes one of {', '.join(known) or '(none found)'}")
            continue
        _merge(merged, _read_yaml(path, faults), f"{folder.name}/{path.name}", origin, ())
    for override in overrides:
        _merge(merged, _parse_override(override, faults), f"--set {_cut(override)}", origin, ())
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(*faults, *_explain(error, origin)) from None
    if faults:
        raise ConfigError(*faults)
    return config.model_copy(update={"paths": _absolute(config.paths, folder)})


def _read_yaml(path: Path, faults: list[str]) -> Mapping[str, Any]:
    try:
        content = _parse_yaml(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f"line {mark.line + 1}" if mark else "line unknown"
        faults.append(f"{path}: {position}: not valid YAML")
        return {}
    except _YamlLimitError as error:
        faults.append(f"{path}: {error}")
        return {}
    except (OSError, ValueError) as error:
        faults.append(f"{path}: cannot be read ({type(error).__name__}); expected YAML in UTF-8, with valid dates")
        return {}
    if not isinstance(content, Mapping):
        faults.append(f"{path}: got {type(content).__name__} at the top, expected sections (name: then indented keys)")
        return {}
    return content


def _parse_yaml(text: str) -> Any:
    """Parses YAML. An alias counts as all values that it refers to, because a few lines can refer to billions.

    Raises:
        yaml.YAMLError: It is not valid YAML.
        ValueError: It has too many values, is nested too deeply, or has a wrong date or number.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count_values(node, {}) > _MAX_VALUES:
            raise _YamlLimitError(f"has more than {_MAX_VALUES:,} values, with those that its aliases stand for")
        return loader.construct_document(node)
    except RecursionError:
        raise _YamlLimitError("is nested too deeply") from None
    finally:
        loader.dispose()


class _YamlLimitError(ValueError):
    """Reports YAML beyond the limits; its message quotes nothing."""


def _count_values(node: yaml.Node, counts: dict[int, int]) -> int:
    """Returns the number of values of a node. A node that contains itself has too many."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counts:
        counts[id(node)] = _MAX_VALUES + 1  # until its values are counted
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        counts[id(node)] = 1 + sum(_count_values(part, counts) for part in parts)
    return counts[id(node)]


def _parse_override(override: str, faults: list[str]) -> Mapping[str, Any]:
    key, equals, value = override.partition("=")
    parts = key.strip().split(".")
    if not equals or len(parts) < 2 or not all(parts):
        faults.append(f"--set {_cut(override)}: expected section.key=value, such as --set ingest.timezone=UTC")
        return {}
    try:
        tree = _override_value(value)
    except _YamlLimitError as error:
        faults.append(f"--set {key}: {error}")
        return {}
    for part in reversed(parts):
        tree = {part: tree}
    result: Mapping[str, Any] = tree
    return result


def _override_value(value: str) -> Any:
    """Reads the value of an override as YAML, but a path or another plain text as it is.

    In YAML a `#` after a blank begins a comment, and `: ` a mapping. Both may be part of a path.

    >>> _override_value("3"), _override_value("[a, b]"), _override_value("/data/it's #1"), _override_value("'7'")
    (3, ['a', 'b'], "/data/it's #1", '7')

    Raises:
        _YamlLimitError: It has too many values, or is nested too deeply.
    """
    text = value.strip()
    if text.startswith(("/", "~/")):
        return text
    try:
        tree = _parse_yaml(text) if text else None
    except _YamlLimitError:
        raise
    except (yaml.YAMLError, ValueError):
        return value
    is_plain = isinstance(tree, str) and not text.startswith(("'", '"', "|", ">", "!"))
    return text if is_plain else tree


def _merge(
    into: dict[str, Any],
    new: Mapping[str, Any],
    source: str,
    origin: dict[tuple[str, ...], str],
    prefix: tuple[str, ...],
) -> None:
    """Merges `new` into `into`, mapping by mapping, and records in `origin` the last file of each key."""
    for key, value in new.items():
        path = (*prefix, str(key))
        origin[path] = source
        if isinstance(value, Mapping):
            child = into.get(key)
            into[key] = child if isinstance(child, dict) else {}
            _merge(into[key], value, source, origin, path)
        elif value is None and not prefix:
            into.setdefault(key, {})  # an empty section in YAML is None
        else:
            into[key] = value


def _explain(error: ValidationError, origin: Mapping[tuple[str, ...], str]) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False):
        path = tuple(str(part) for part in fault["loc"])
        source = next((origin[path[:n]] for n in range(len(path), 0, -1) if path[:n] in origin), "configuration")
        dotted = ".".join(path)
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _known_keys(path[:-1]), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(_known_keys(path[:-1]))}"
            lines.append(f"{source}: {dotted}: unknown key; {hint}")
        elif fault["type"] == "missing":
            lines.append(f"configuration: {dotted}: missing; set it in conf/<env>.yaml or with --set {dotted}=…")
        elif not path:
            lines.append(f"configuration: {fault['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(
                f"{source}: {dotted}: got {_cut(repr(fault['input']))}; {fault['msg'][0].lower()}{fault['msg'][1:]}"
            )
    return lines


def _cut(value: str) -> str:
    """Returns a value for a message, without secrets, because a cut may remove what shows that it is one."""
    shown = hide_secrets(value)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def _known_keys(path: tuple[str, ...]) -> list[str]:
    model: Any = Config
    for part in path:
        field = model.model_fields.get(part)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)


def _absolute(paths: PathsSection, conf: Path) -> PathsSection:
    """Resolves every path against `root`, and `root` against the checkout; never against the current folder."""
    checkout = conf.resolve().parent
    root = os.path.expandvars(os.path.expanduser(paths.root))  # noqa: PTH111 - a Path would swallow a URI's slashes
    if "://" in root or "$" in root:
        raise ConfigError(
            f"paths.root: got {root!r}, expected a folder that driver and executors see; give URIs "
            "to paths.landing, paths.warehouse and paths.exports instead"
        )
    if not Path(root).is_absolute():
        if not (checkout / "pyproject.toml").is_file() and "REVIEWGEN_CONF" not in os.environ:
            raise ConfigError(
                f"paths.root: got {root!r}, expected an absolute path outside a checkout; "
                "use --set paths.root=/some/folder or set REVIEWGEN_CONF to your own conf folder"
            )
        root = str(checkout / root)
    update = {"root": root, "jars": str(checkout / paths.jars)}
    for name in ("landing", "warehouse", "exports", "artifacts"):
        value = getattr(paths, name)
        update[name] = value if "://" in value else str(Path(root) / value)
    if "`" in update["warehouse"]:
        raise ConfigError(f"paths.warehouse: {update['warehouse']} has a backtick, which Delta cannot read; rename it")
    return paths.model_copy(update=update)
