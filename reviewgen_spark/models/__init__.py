"""Models, their training, evaluation and registry: torch only, no Spark."""
