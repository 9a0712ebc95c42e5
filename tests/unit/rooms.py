"""Lists the rooms in their order: a module imports from its own room and from rooms above it in this list.

docs/architecture.md shows the same list, with what each room is for.
"""

from tests.unit.source_tree import PACKAGE, ROOT, Module

ORDER = (
    "errors",
    "schemas",
    "config",
    "text",
    "text.privacy",
    "text.cleaning",
    "text.words",
    "text.opinions",
    "text.requests",
    "text.similarity",
    "text.summaries",
    "text.checks",
    "warehouse",
    "transforms",
    "transforms.ingest",
    "transforms.erasure",
    "models",
    "models.data",
    "models.classifier",
    "models.bases",
    "models.decoding",
    "models.evaluation",
    "models.training",
    "models.compression",
    "models.generator",
    "models.registry",
    "inference",
    "inference.shipping",
    "inference.labelling",
    "inference.generation",
    "products",
    "reports.charts",
    "reports",
    "reports.nightly",
    "orchestration",
    "orchestration.resources",
    "serving",
    "serving.sql",
    "jobs",
    "pipelines",
    "operations",
    "operations.packaging",
    "operations.doctor",
    "operations.erasure",
    "operations.demo",
    "cli",
)

# What a room must not import although the order allows it: libraries, and some rooms above it.
_FORBIDDEN = {
    "text": {"pyspark", "torch", "transformers"},
    "transforms": {"torch", "transformers", "models", "warehouse"},
    "models": {"pyspark", "transforms", "warehouse"},
    "products": {"torch", "transformers", "models", "inference", "warehouse"},
}


def room_of(module: Module) -> str:
    """Returns the folder of a module below the package, with dots; a loose module is a room of its own."""
    parts = module.path.relative_to(ROOT).parent.parts
    folders = parts[1:] if parts[:1] == (PACKAGE,) else parts
    return ".".join(folders) or module.path.stem


def forbidden_to(room: str) -> set[str]:
    """Returns the libraries and rooms that a room must not import."""
    return _FORBIDDEN.get(room.partition(".")[0], set())
