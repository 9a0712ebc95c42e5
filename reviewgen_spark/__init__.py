"""Nightly Spark jobs that turn raw e-commerce reviews into governed, labelled Delta tables.

Importing the package imports neither pyspark nor torch: heavy libraries load where they are used.
"""

__version__ = "0.2.0"
