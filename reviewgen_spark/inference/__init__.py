"""Runs torch models on Spark executors: ships a model to them, and runs batches of rows through it."""
