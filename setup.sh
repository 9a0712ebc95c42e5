#!/usr/bin/env bash
# Set up a checkout: Java, a virtual environment with pinned dependencies, the Delta jars. `make setup` calls it.
# Usage: setup.sh VENV JARS
set -euo pipefail
venv=$1 jars=$2

find_java() {
  local java=${JAVA_HOME:+$JAVA_HOME/bin/java}
  java=${java:-java}
  command -v "$java" >/dev/null 2>&1 || return 1
  case "$("$java" -version 2>&1 | sed -nE 's/.*version "([0-9]+).*/\1/p' | head -n 1)" in
    17 | 21) return 0 ;;
    *) return 1 ;;
  esac
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

if ! find_java; then
  packages=$(apt-cache search --names-only '^openjdk-(17|21)-jre-headless$' 2>/dev/null | cut -d' ' -f1 | sort | head -n 1 || true)
  package=${packages:-openjdk-17-jre-headless}
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Java 17 or 21 is missing: installing $package"
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$package"
  else
    echo "Java 17 or 21 is missing (JAVA_HOME, then PATH): run  sudo apt-get install $package" >&2
    exit 2
  fi
  find_java || { echo "a Java is there, but not 17 or 21: set JAVA_HOME to one of them" >&2; exit 2; }
fi

python=$(find_python) || {
  echo "Python 3.11 or 3.12 with venv is missing: run  sudo apt-get install python3-venv  or set PYTHON" >&2
  exit 2
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "installing the pinned dependencies into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[train,serve,weak,embedded,onnx,dev]'
"$venv/bin/python" -m reviewgen_spark.jars "$jars"
