"""Pre-training: a corpus of unlabelled reviews from the tables, and a language model that has read it."""

from reviewgen_spark.jobs import pretrain, pretraining_corpus

STAGES = (pretraining_corpus.STAGE, pretrain.STAGE)
