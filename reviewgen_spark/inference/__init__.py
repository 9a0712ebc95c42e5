"""Where Spark meets torch: a model shipped to the executors, and batches of rows run through it."""
