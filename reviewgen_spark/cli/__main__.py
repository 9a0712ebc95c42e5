"""Runs `reviewgen` as `python -m reviewgen_spark.cli`."""

import sys

from reviewgen_spark.cli import main

if __name__ == "__main__":
    sys.exit(main())
