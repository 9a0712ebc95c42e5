"""The text engine: plain Python functions, a string in and values out; no Spark, no torch."""
