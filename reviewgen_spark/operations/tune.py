"""Searches the settings of fine-tuning on the newest corpus, for `reviewgen tune`, without Spark."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from reviewgen_spark.config import Config, FinetuneSection
from reviewgen_spark.models.data.corpus import corpus_fingerprint
from reviewgen_spark.models.registry.trial_log import TrialLog
from reviewgen_spark.models.training.finetuning import finetune
from reviewgen_spark.models.training.study import TuneResult, tune
from reviewgen_spark.operations.model_comparison import newest_corpus
from reviewgen_spark.orchestration.resources.models import base_model


def search_settings(config: Config, progress: Callable[[str], None]) -> TuneResult:
    """Trains with different settings; each trial is a run in MLflow. The study is stored beside the registry.

    Args:
        config: Sections `models`, `finetune` (settings that are not searched) and `tune`.
        progress: Called with a line every few seconds.

    Raises:
        SchemaError: There is no corpus.
    """
    corpus, base = newest_corpus(config), base_model(config)
    # Another corpus, base or fixed setting starts another study, because its scores are not comparable.
    study_key = f"{corpus_fingerprint(corpus)} {base.hashes} {config.models.base} {config.finetune.result_part()}"
    name = f"{config.models.name}-{hashlib.sha256(study_key.encode()).hexdigest()[:12]}"
    artifacts = Path(config.paths.model_artifacts)

    def objective(section: FinetuneSection, on_epoch: Callable[[int, float], None]) -> float:
        with tempfile.TemporaryDirectory(prefix="reviewgen-tune-") as folder:
            return finetune(corpus, str(base.value), section, Path(folder), progress, on_epoch=on_epoch).validation_f1

    with TrialLog(config.paths.tracking_uri, f"{config.models.name}-tuning", artifacts, name) as log:
        storage = Path(config.paths.root) / "mlflow" / "tuning.db"
        return tune(objective, config.finetune, config.tune, storage, name, log.trial, progress)
