"""Labels reviews on the executors with a shipped model."""
