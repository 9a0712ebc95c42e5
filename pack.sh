#!/usr/bin/env bash
# Pack what `spark-submit` ships to a cluster: the project as a wheel, the libraries of the executors as an archive.
# `make pack` calls it. Usage: pack.sh VENV DIST [EXTRAS]; extras of the project, with commas (default weak)
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2,3p "$0" >&2; exit 2; }
venv=$1 dist=$2 extras=${3:-weak}
[ -x "$venv/bin/python" ] || { echo "$venv: no virtual environment there: run  make setup" >&2; exit 2; }

# From a copy: what an earlier build left in build/ would be packed too.
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cp -r pyproject.toml README.md LICENSE reviewgen_spark jobs pipelines conf "$source"
find "$source" -name __pycache__ -prune -exec rm -rf {} +
# The same sources give the same bytes: 1980 is the earliest year of a zip.
SOURCE_DATE_EPOCH=315532800 "$venv/bin/python" -m pip wheel --quiet --disable-pip-version-check \
  --no-deps --no-build-isolation --wheel-dir "$dist" "$source"
ls "$dist"/reviewgen_spark-*.whl
"$venv/bin/python" -m reviewgen_spark.operations.packaging.executor_archive "$dist/environment.tar.gz" --extras "$extras"
