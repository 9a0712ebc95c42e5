"""Finds the Java that Spark would start, and says what is wrong with it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

JAVA_VERSIONS = (17, 21)  # Spark 4.1 supports these
INSTALL_JAVA = "install Java 17 (`apt-get install openjdk-17-jre-headless`), or point JAVA_HOME to one"


def java_command() -> str | None:
    """Returns the command that Spark would start; None if there is no such program."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java") if home else "java")


def java_version() -> str | None:
    """Returns the output of `java -version` of the Java that Spark would start; None if there is no Java."""
    command = java_command()
    if command is None:
        return None
    try:
        process = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stderr + process.stdout


def java_fault(version_text: str | None) -> str | None:
    """Returns what is wrong with a Java by the output of its `java -version`; None if Spark can use it.

    Args:
        version_text: The output, or the file `release` of a Java; None if there is no Java.

    >>> java_fault('openjdk version "17.0.15" 2025-04-15'), java_fault('java version "1.8.0_392"')
    (None, 'version 8')
    >>> java_fault('JAVA_VERSION="11.0.2"')
    'version 11'
    """
    if version_text is None:
        return "not found in JAVA_HOME or PATH"
    numbers = re.search(r'version(?: |=)"(\d+)(?:\.(\d+))?', version_text, re.IGNORECASE)
    if numbers is None:
        return "its command shows no version"
    major = int(numbers[2] or 0) if numbers[1] == "1" else int(numbers[1])  # 1.8 is 8
    return None if major in JAVA_VERSIONS else f"version {major}"


def launch_fault() -> str | None:
    """Returns why the Java of this machine cannot start Spark, with the next step; None if it can.

    The file `release` of a Java has its version, because `java -version` takes a tenth of a second.
    """
    command = java_command()
    release = Path(command).resolve().parents[1] / "release" if command else None
    if release is not None and release.is_file():
        text: str | None = release.read_text(encoding="utf-8", errors="replace")
    else:
        text = java_version()
    fault = java_fault(text)
    if fault is None:
        return None
    home = os.environ.get("JAVA_HOME")
    place = f"JAVA_HOME={home}" if home else "the PATH"
    needed = " or ".join(map(str, JAVA_VERSIONS))
    return f"Java: {fault} ({place}); Spark needs version {needed}: {INSTALL_JAVA}"
