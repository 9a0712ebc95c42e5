"""Packs the libraries that executors need into one archive.

`python -m reviewgen_spark.operations.packaging.executor_archive FILE` calls it.

The archive has the layout of `site-packages`: the dependencies of this project and their dependencies, as installed
here. Executors unpack it (`spark-submit --archives FILE#environment`) and find it by `PYTHONPATH`. No file in it names
the source folder. The same installation gives the same bytes.

Left out: Spark and py4j, which each node has; this project itself, which is shipped as a wheel; deltalake, which only
the driver uses; and triton (1 GB), which torch loads only for torch.compile.
"""

import argparse
import gzip
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from reviewgen_spark.errors import MissingExtraError
from reviewgen_spark.orchestration.job import guarded

PROJECT = "reviewgen-spark"
ELSEWHERE = frozenset({PROJECT, "pyspark", "py4j", "delta-spark", "deltalake", "triton"})
SKIPPED_FOLDERS = frozenset({"__pycache__", "tests", "include"})
IMPORTED_TESTS = PurePosixPath("numpy/_core/tests/_natype.py")  # imported by numpy.testing, which SciPy imports
COMPRESS_LEVEL = 4  # 6 takes twice the time for 2 % less


def required_distributions(extras: Sequence[str]) -> list[Distribution]:
    """Returns the distributions that the project with these extras needs on this platform, ordered by name.

    The project itself and ELSEWHERE are left out.

    Raises:
        MissingExtraError: one of them is not installed here.
    """
    from packaging.requirements import Requirement

    found: dict[str, Distribution] = {}
    taken: dict[str, frozenset[str]] = {}
    wanted = [(PROJECT, frozenset(extras))]
    while wanted:
        name, asked = wanted.pop()
        before = taken.get(name)
        if before is not None and asked <= before:
            continue
        taken[name] = asked | (before or frozenset())
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            raise MissingExtraError(
                f"{name} is not installed here, so it cannot be packed; pip install '{PROJECT}[{','.join(extras)}]'"
            ) from None
        for line in found[name].requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            needed = _canonical(requirement.name)
            if needed not in ELSEWHERE and (
                marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *asked))
            ):
                wanted.append((needed, frozenset(requirement.extras)))
    return [found[name] for name in sorted(found) if name not in ELSEWHERE]


def packed_files(distributions: Sequence[Distribution]) -> Iterator[tuple[str, Path]]:
    """Yields the name in the archive and the local path of every file, sorted.

    Scripts, tests, headers and bytecode are left out.
    """
    files: dict[str, Path] = {}
    for one in distributions:
        for path in one.files or ():
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
    parser = argparse.ArgumentParser(prog="executor_archive", description=__doc__.split("\n")[0])
    parser.add_argument("target", type=Path, metavar="FILE", help="such as dist/environment.tar.gz")
    parser.add_argument("--extras", default="weak", help="of this project, with commas (default weak; serve has torch)")
    options = parser.parse_args(arguments)
    extras = [extra for extra in re.split(r"[,\s]+", options.extras) if extra]

    def pack() -> int:
        known = distribution(PROJECT).metadata.get_all("Provides-Extra") or []
        if unknown := sorted(set(extras) - set(known)):
            parser.error(f"--extras {','.join(unknown)}: no such extra; there are {', '.join(sorted(known))}")
        distributions = required_distributions(extras)
        size = write_archive(options.target, distributions)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(
            f"{options.target}: {len(distributions)} libraries for Python {version}, "
            f"{options.target.stat().st_size / 1e6:,.0f} MB, {size / 1e6:,.0f} MB unpacked"
        )
        return 0

    return guarded(pack)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
