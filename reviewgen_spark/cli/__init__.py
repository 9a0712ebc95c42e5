"""The `reviewgen` command: parses arguments and calls the module that does the work.

It imports everything else inside `main`, so that Ctrl-C has its exit code from the first moment on.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    try:
        from reviewgen_spark.cli.parser import build_parser
        from reviewgen_spark.orchestration.job import guarded
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return 130

    def run() -> int:
        options = build_parser().parse_args(arguments)
        return int(options.run(options))

    return guarded(run)
