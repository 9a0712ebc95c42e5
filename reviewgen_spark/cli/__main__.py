"""`python -m reviewgen_spark.cli`: the same as `reviewgen`."""

import sys

from reviewgen_spark.cli import main

if __name__ == "__main__":
    sys.exit(main())
