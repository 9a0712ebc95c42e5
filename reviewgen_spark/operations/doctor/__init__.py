"""Checks whether the machine, the workers, the model and the tables are ready for a run."""
