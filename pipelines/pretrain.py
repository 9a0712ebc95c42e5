"""Pre-training: a corpus of unlabelled reviews from the tables."""

from reviewgen_spark.jobs import pretraining_corpus

STAGES = (pretraining_corpus.STAGE,)
