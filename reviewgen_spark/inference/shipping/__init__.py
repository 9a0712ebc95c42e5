"""Ships a model to the executors and keeps it loaded in each worker."""
