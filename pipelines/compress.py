"""Compression: the champion teaches a small model, pruned, exported, and registered under its own alias."""

from reviewgen_spark.jobs import compress, corpus, distil, pretraining_corpus, register_compressed

STAGES = (corpus.STAGE, pretraining_corpus.STAGE, distil.STAGE, compress.STAGE, register_compressed.STAGE)
