#!/usr/bin/env bash
# Sets up a checkout: Java, a virtual environment with pinned dependencies, the Delta jars, an archive of
# Spark's classes. `make setup` calls it.
# What apt-get, pip and the jar resolver print goes to VENV/setup.log.
# Usage: setup.sh VENV JARS
set -euo pipefail
venv=$1 jars=$2 log=$1/setup.log progress=

# Runs a command with its output in the log. Prints time and size every 30 seconds, and the end of the log after a failure.
# Usage: logged ADVICE COMMAND...
logged() {
  local advice=$1 status=0
  shift
  while sleep 30 >/dev/null 2>&1; do
    echo "    $(elapsed)  $(du -sh "$venv" 2>/dev/null | cut -f 1)  $(tail -n 1 "$log" | cut -c 1-80)"
  done &
  progress=$!
  "$@" >>"$log" 2>&1 || status=$?
  stop_progress
  [ "$status" != 0 ] || return 0
  { echo "the end of $log:" && tail -n 15 "$log" | sed 's/^/  | /' && echo "error: $advice"; } >&2
  exit "$status"
}

stop_progress() {
  if [ -n "$progress" ]; then kill "$progress" 2>/dev/null || true; fi
  progress=
}

elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

find_java() {
  local java=${JAVA_HOME:+$JAVA_HOME/bin/java}
  java=${java:-java}
  command -v "$java" >/dev/null 2>&1 || return 1
  java_version=$("$java" -version 2>&1 | sed -nE 's/.*version "([0-9][^"]*)".*/\1/p' | head -n 1)
  case "${java_version%%[!0-9]*}" in
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

install_java() { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$1"; }

install_libraries() {
  local pip=("$venv/bin/python" -m pip install --progress-bar off --disable-pip-version-check -c constraints.txt)
  "${pip[@]}" setuptools && "${pip[@]}" --no-build-isolation -e '.[train,serve,weak,embedded,onnx,dev]'
}

trap stop_progress EXIT
mkdir -p "$venv"
: >"$log"
echo "setting up $venv (log: $log)"

if ! find_java; then
  packages=$(apt-cache search --names-only '^openjdk-(17|21)-jre-headless$' 2>/dev/null | cut -d' ' -f1 | sort | head -n 1 || true)
  package=${packages:-openjdk-17-jre-headless}
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "  Java 17 or 21 is missing: installing $package"
    logged "Java could not be installed: install Java 17 or 21 by hand, or set JAVA_HOME, then run this again" \
      install_java "$package"
  else
    echo "error: Java 17 or 21 is missing (JAVA_HOME, then PATH): run  sudo apt-get install $package" >&2
    exit 2
  fi
  find_java || { echo "error: the Java found is not 17 or 21: set JAVA_HOME to one of them" >&2; exit 2; }
fi
echo "  Java        $java_version"

python=$(find_python) || {
  echo "error: Python 3.11 or 3.12 with venv is missing: run  sudo apt-get install python3-venv  or set PYTHON" >&2
  exit 2
}
echo "  Python      $("$python" -c 'import platform; print(platform.python_version())')"
[ -x "$venv/bin/python" ] || logged "$venv could not be made: check the disk, then run this again" "$python" -m venv "$venv"

echo "  libraries   installing; the first time about 7.6 GB, mostly torch, and about 3 minutes"
logged "the libraries could not be installed: check the network and the disk (7.6 GB), then run this again" install_libraries
echo "  libraries   installed"
logged "the Delta jars could not be downloaded: check the network, then run this again" \
  "$venv/bin/python" -m reviewgen_spark.operations.packaging.delta_jars "$jars"
echo "  Delta jars  $jars"
logged "Spark could not be started: run  reviewgen doctor" \
  "$venv/bin/python" -m reviewgen_spark.operations.packaging.class_archive "$jars"
echo "  classes     archived in $jars, so that each later session starts in half the time"
echo "  done in $(elapsed)"
