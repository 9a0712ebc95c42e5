"""Packs the libraries that executors need into one archive.

`python -m reviewgen_spark.operations.packaging.executor_archive FILE` calls it.

The archive has the layout of `site-packages`: the dependencies of this project and their dependencies, as installed
here. Executors unpack it (`spark-submit --archives FILE#environment`) and find it by `PYTHONPATH`. No file in it
contains the path of the source folder. The same installation gives the same bytes.

These libraries are left out:

- Spark and py4j, because each node has them;
- this project itself, because it is shipped as a wheel;
- deltalake, because only the driver uses it;
- triton (1 GB), because torch loads it only for torch.compile.
"""

import gzip
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from reviewgen_spark.config.messages import ArgumentParser, print_line
from reviewgen_spark.errors import MissingExtraError
from reviewgen_spark.orchestration.job import guarded

PROJECT = "reviewgen-spark"
EXCLUDED = frozenset({PROJECT, "pyspark", "py4j", "delta-spark", "deltalake", "triton"})
SKIPPED_FOLDERS = frozenset({"__pycache__", "tests", "include"})
IMPORTED_TESTS = PurePosixPath("numpy/_core/tests/_natype.py")  # imported by numpy.testing, which SciPy imports
COMPRESS_LEVEL = 4  # level 6 takes twice the time, and the file is 2 % smaller


def required_distributions(extras: Sequence[str]) -> list[Distribution]:
    """Returns the distributions that the project with these extras needs on this platform, ordered by name.

    Those in EXCLUDED are left out.

    Raises:
        MissingExtraError: One of them is not installed here.
    """
    from packaging.requirements import Requirement

    resolved: dict[str, Distribution] = {}
    resolved_extras: dict[str, frozenset[str]] = {}
    pending = [(PROJECT, frozenset(extras))]
    while pending:
        name, new_extras = pending.pop()
        old_extras = resolved_extras.get(name)
        if old_extras is not None and new_extras <= old_extras:
            continue
        resolved_extras[name] = new_extras | (old_extras or frozenset())
        try:
            resolved[name] = distribution(name)
        except PackageNotFoundError:
            raise MissingExtraError(
                f"{name} is not installed here, so it cannot be packed; pip install '{PROJECT}[{','.join(extras)}]'"
            ) from None
        for line in resolved[name].requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            required = _canonical(requirement.name)
            if required not in EXCLUDED and (
                marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *new_extras))
            ):
                pending.append((required, frozenset(requirement.extras)))
    return [resolved[name] for name in sorted(resolved) if name not in EXCLUDED]


def packed_files(distributions: Sequence[Distribution]) -> Iterator[tuple[str, Path]]:
    """Yields the name in the archive and the local path of every file, sorted.

    Scripts, tests, headers and bytecode are left out.
    """
    files: dict[str, Path] = {}
    for library in distributions:
        for path in library.files or ():
            is_skipped = path.parts[0] == ".." or SKIPPED_FOLDERS & set(path.parts[:-1])
            if not is_skipped or path == IMPORTED_TESTS:
                files[str(path)] = Path(str(path.locate()))
    yield from sorted(files.items())


def write_archive(target: Path, distributions: Sequence[Distribution]) -> int:
    """Writes the archive atomically, and returns its unpacked size in bytes."""
    staged = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with (
        staged.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESS_LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", dereference=True) as archive,
    ):
        for name, path in packed_files(distributions):
            member = archive.gettarinfo(path, name)
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = ""
            size += member.size
            with path.open("rb") as content:
                archive.addfile(member, content)
    staged.replace(target)
    return size


def main(arguments: Sequence[str] | None = None) -> int:
    """Packs the libraries; returns exit code 5 if one is not installed."""
    parser = ArgumentParser(prog="executor_archive", description=__doc__.split("\n")[0])
    parser.add_argument("target", type=Path, metavar="FILE", help="archive to write, such as dist/environment.tar.gz")
    parser.add_argument(
        "--extras", default="weak", help="extras of this project, separated by commas (default weak; serve adds torch)"
    )
    options = parser.parse_args(arguments)
    extras = [extra for extra in re.split(r"[,\s]+", options.extras) if extra]

    def pack() -> int:
        known = distribution(PROJECT).metadata.get_all("Provides-Extra") or []
        if unknown := sorted(set(extras) - set(known)):
            parser.error(f"--extras {','.join(unknown)}: no such extra; the extras are {', '.join(sorted(known))}")
        distributions = required_distributions(extras)
        size = write_archive(options.target, distributions)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print_line(
            f"{options.target}: {len(distributions)} libraries for Python {version}, "
            f"{options.target.stat().st_size / 1e6:,.0f} MB, {size / 1e6:,.0f} MB unpacked"
        )
        return 0

    return guarded(pack)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
