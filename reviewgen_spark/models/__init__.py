"""Models, their training, evaluation and registry: torch only, no Spark."""

import os

# Torch's threads wait for each other by spinning, and OpenMP reads this once, when torch is imported. On two cores that
# other processes share, a spinning thread keeps the core from the one it waits for: 4 rows/s trained, against 74.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
