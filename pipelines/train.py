"""Training: a corpus from the tables, a model from the corpus, its figures, its place in the registry."""

from reviewgen_spark.jobs import corpus, evaluate, finetune, register

STAGES = (corpus.STAGE, finetune.STAGE, evaluate.STAGE, register.STAGE)
