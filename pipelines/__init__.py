"""A pipeline is a tuple of stages in the order in which they run."""
