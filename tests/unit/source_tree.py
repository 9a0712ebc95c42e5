"""Reads the modules of the project as syntax trees: which module imports which, and which definitions a stage runs.

Nothing is imported or executed. Tests may replace the text of a module, to check that a change is detected.
"""

import ast
import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "reviewgen_spark"


@dataclass(frozen=True)
class Definition:
    """A function, class or constant of a module."""

    module: str
    name: str


@dataclass(frozen=True)
class Module:
    """A module of the package, with the name that it has once installed: `reviewgen_spark.jobs.clean`."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether it is an `__init__.py`."""
        return self.path.name == "__init__.py"

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """Returns the statements at the top of the module, by the name that they bind."""
        bound: dict[str, list[ast.stmt]] = {}
        for statement in _top_statements(self.tree):
            for name in _bound_names(statement):
                bound.setdefault(name, []).append(statement)
        return bound

    @cached_property
    def loose(self) -> list[ast.stmt]:
        """Returns the statements at the top that bind no name, such as a call; they always run."""
        return [
            statement
            for statement in _top_statements(self.tree)
            if not _bound_names(statement)
            and not isinstance(statement, ast.Import | ast.ImportFrom)
            and not _is_main(statement)
        ]


class SourceTree:
    """Holds all modules below the package, `jobs` and `pipelines`."""

    def __init__(self, root: Path = ROOT, replaced: Mapping[str, str] | None = None) -> None:
        """Reads the modules.

        Args:
            root: Of the project.
            replaced: Text by module name, read instead of the file.
        """
        self.modules: dict[str, Module] = {}
        self._top: dict[str, dict[str, Definition]] = {}
        self._used_by: dict[int, list[Definition]] = {}
        self._dumps: dict[int, str] = {}
        for folder in (PACKAGE, "jobs", "pipelines"):
            for path in sorted((root / folder).rglob("*.py")):
                parts = list(path.relative_to(root).with_suffix("").parts)
                if folder != PACKAGE:
                    parts.insert(0, PACKAGE)
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                text = (replaced or {}).get(name) or path.read_text(encoding="utf-8")
                self.modules[name] = Module(name, path, ast.parse(text))
        unknown = set(replaced or {}) - set(self.modules)
        assert not unknown, f"no such modules: {unknown}"

    def imports(self, module: Module, skips_types: bool = False) -> set[str]:
        """Returns the names of all modules that a module imports, of the project and others, also inside functions.

        `from package import name` is the module `package.name` where that is one.

        Args:
            module: Of this tree.
            skips_types: Leave out imports below `if TYPE_CHECKING`, which do not run.
        """
        nodes = _running_nodes(module.tree) if skips_types else ast.walk(module.tree)
        return {target for node in nodes for target, _, _ in self._imported(module, node)}

    def cycles(self) -> list[list[str]]:
        """Returns the groups of modules that import each other, directly or through others."""
        graph = {
            name: {target for target in self.imports(module, skips_types=True) if target in self.modules}
            for name, module in self.modules.items()
        }
        return [sorted(group) for group in _strongly_connected(graph) if len(group) > 1]

    def closure(self, roots: Iterable[Definition], follows: Callable[[str], bool]) -> set[Definition]:
        """Returns all definitions that the roots use, directly or through others.

        A class counts as a whole. Names in quoted annotations do not count, because they do not run.

        Args:
            roots: The definitions to start from.
            follows: Whether the definitions of a module, by its name, are followed.
        """
        seen: set[Definition] = set()
        pending = list(roots)
        while pending:
            definition = pending.pop()
            if definition in seen or definition.module not in self.modules or not follows(definition.module):
                continue
            module = self.modules[definition.module]
            if definition.name not in module.definitions:
                # Re-exported by a package: follow the import.
                if definition.name in self._top_bindings(module):
                    pending.append(self._top_bindings(module)[definition.name])
                continue
            seen.add(definition)
            for statement in (*module.definitions[definition.name], *module.loose):
                pending.extend(self._used(module, statement))
        return seen

    def code_hash(self, definitions: Iterable[Definition]) -> str:
        """Returns a hash of the code of definitions; docstrings, imports and the order of files do not count."""
        dumps: list[str] = []
        modules = set()
        for definition in definitions:
            module = self.modules[definition.module]
            dumps += [self._dump(statement) for statement in module.definitions[definition.name]]
            modules.add(definition.module)
        dumps += [self._dump(statement) for name in modules for statement in self.modules[name].loose]
        return hashlib.sha256("\n".join(sorted(dumps)).encode()).hexdigest()[:16]

    def _dump(self, statement: ast.stmt) -> str:
        if id(statement) not in self._dumps:
            self._dumps[id(statement)] = ast.dump(_BehaviourOnly().visit(copy.deepcopy(statement)))
        return self._dumps[id(statement)]

    def _top_bindings(self, module: Module) -> dict[str, Definition]:
        if module.name not in self._top:
            self._top[module.name] = self._bindings(module, _top_statements(module.tree))
        return self._top[module.name]

    def _used(self, module: Module, statement: ast.stmt) -> list[Definition]:
        if id(statement) not in self._used_by:
            self._used_by[id(statement)] = list(self._find_used(module, statement))
        return self._used_by[id(statement)]

    def _find_used(self, module: Module, statement: ast.stmt) -> Iterator[Definition]:
        bindings = self._top_bindings(module) | self._bindings(module, ast.walk(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                if node.id in module.definitions:
                    yield Definition(module.name, node.id)
                elif node.id in bindings:
                    yield bindings[node.id]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bindings:
                target = bindings[node.value.id]
                of_module = f"{target.module}.{target.name}" if target.name else target.module
                yield Definition(of_module, node.attr)

    def _bindings(self, module: Module, nodes: Iterable[ast.AST]) -> dict[str, Definition]:
        """Maps imported names to a definition of a module, or to a module, with an empty name."""
        return {
            local: Definition(target, attribute)
            for node in nodes
            for target, attribute, local in self._imported(module, node)
        }

    def _imported(self, module: Module, node: ast.AST) -> Iterator[tuple[str, str, str]]:
        """Yields (module, attribute or nothing, local name) for each name that an import statement binds."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.name.split(".")
                parents = parts[: len(parts) - node.level + module.is_package]
                base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in self.modules:
                    yield inner, "", alias.asname or alias.name
                else:
                    yield base, alias.name, alias.asname or alias.name


def _top_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yields the statements at the top of a module, also inside `try`; without docstring and `TYPE_CHECKING`."""
    pending = list(tree.body)
    while pending:
        statement = pending.pop(0)
        if _is_docstring(statement) or _is_type_checking(statement):
            continue
        if isinstance(statement, ast.Try):
            pending = [*statement.body, *(s for handler in statement.handlers for s in handler.body), *pending]
            continue
        yield statement


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _running_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt) and _is_type_checking(node):
            continue
        yield node
        yield from _running_nodes(node)


def _is_docstring(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_type_checking(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If) and isinstance(statement.test, ast.Name) and statement.test.id == "TYPE_CHECKING"
    )


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test)


class _BehaviourOnly(ast.NodeTransformer):
    """Removes docstrings, and imports, because imported definitions are hashed themselves."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:  # ast calls this name
        return None if _is_docstring(node) else node

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None


def _strongly_connected(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Returns the strongly connected groups of a graph, by Tarjan's algorithm (1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def connect(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                connect(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            groups.append(group)

    for node in sorted(graph):
        if node not in index:
            connect(node)
    return groups
