"""Reads corpora and labelled files, and makes batches of rows."""
