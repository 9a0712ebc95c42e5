"""The stages of the pipeline `train`, between the runner and the models: files in, files and rows out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from reviewgen_spark.config import FinetuneSection
from reviewgen_spark.orchestration.model_log import evaluation_rows, promotion_rows, read_scores, write_scores
from reviewgen_spark.orchestration.stage import Inputs
from reviewgen_spark.transforms.corpus import labelled_aspects, labelled_reviews, unlabelled_reviews

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from reviewgen_spark.models.registry.registry import RegisteredModel

_SPLITS = ("train", "validation", "test")
_SHARD_ROWS = 50_000


def write_corpus(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Write the labelled reviews as `<split>/*.parquet`, and the manifest last: a folder without one is no corpus."""
    section = inputs.assets
    reviews, clusters, splits, gold_labels = (
        inputs.tables[name]
        for name in ("silver_reviews", "silver_review_clusters", "silver_review_splits", "bronze_gold_labels")
    )
    if section.tasks == ("aspect",):
        label = "polarity"
        rows = labelled_aspects(reviews, clusters, splits, gold_labels)
    else:
        label = "label"
        weak_labels = inputs.tables["silver_weak_labels"]
        rows = labelled_reviews(
            reviews, clusters, splits, gold_labels, weak_labels, labels=section.labels, tasks=section.tasks
        )
    rows = rows.persist()
    counts: dict[str, dict[str, int]] = {split: {} for split in _SPLITS}
    for row in rows.groupBy("split", label).count().collect():
        counts[row["split"]][str(row[label])] = row["count"]
    _write_shards(inputs, rows, _SPLITS, labels=section.labels, tasks=section.tasks, rows_by_split_and_label=counts)
    inputs.report(", ".join(f"{split} {sum(counts[split].values()):,}" for split in _SPLITS) + " labelled rows")
    return {}


def write_pretraining_corpus(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Write the unlabelled reviews of train and validation the same way."""
    names = ("silver_reviews", "silver_review_clusters", "silver_review_splits")
    rows = unlabelled_reviews(*(inputs.tables[name] for name in names)).persist()
    splits = _SPLITS[:2]
    sizes = F.sum(F.length("text")).alias("characters")
    found = {row["split"]: row for row in rows.groupBy("split").agg(F.count("*").alias("rows"), sizes).collect()}
    counts = {split: found[split]["rows"] if split in found else 0 for split in splits}
    characters = {split: found[split]["characters"] if split in found else 0 for split in splits}
    _write_shards(inputs, rows, splits, rows_by_split=counts, characters_by_split=characters)
    inputs.report(", ".join(f"{split} {counts[split]:,} rows, {characters[split]:,} characters" for split in splits))
    return {}


def _write_shards(inputs: Inputs, rows: "DataFrame", splits: Sequence[str], **said: Any) -> None:
    """`<split>/*.parquet`, then the manifest: a reader that finds one finds every shard."""
    for split in splits:
        part = rows.where(rows["split"] == split).drop("split")
        part.write.option("maxRecordsPerFile", _SHARD_ROWS).parquet((inputs.out / split).as_uri())
    shards = {
        split: {path.name: path.stat().st_size for path in sorted((inputs.out / split).glob("*.parquet"))}
        for split in splits
    }
    manifest = {"fingerprint": inputs.fingerprint, **said, "shards": shards}
    (inputs.out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def finetune_model(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Train on the corpus; fills the output folder with the model."""
    from reviewgen_spark.models.training.finetuning import finetune

    config, corpus, checkpoint = inputs.config, inputs.artifacts["corpus"], inputs.checkpoints / "finetune.pt"
    name = config.models.base
    if config.finetune.processes > 1:
        finetune_in_processes(corpus, inputs.assets, config.finetune, inputs.out, checkpoint, name)
    else:
        finetune(corpus, inputs.assets, config.finetune, inputs.out, inputs.report, checkpoint, name)
    return {}


def finetune_in_processes(
    corpus: Path, base: str, section: FinetuneSection, out: Path, checkpoint: Path, base_name: str
) -> None:
    """Train in `finetune.processes` processes of this machine, by Spark's TorchDistributor."""
    from pyspark.ml.torch.distributor import TorchDistributor

    from reviewgen_spark.models.classifier.predictor import choose_device
    from reviewgen_spark.models.training.distributed import finetune_in_group

    distributor = TorchDistributor(section.processes, local_mode=True, use_gpu=choose_device(section.device) == "cuda")
    plain = section.model_dump(mode="json")
    distributor.run(finetune_in_group, str(corpus), base, plain, str(out), str(checkpoint), base_name)


def pretrain_model(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Train a language model on the unlabelled corpus; fills the output folder with it."""
    from reviewgen_spark.models.training.pretraining import pretrain

    pretrain(
        inputs.artifacts["pretraining_corpus"],
        inputs.config.pretrain.base,
        inputs.config.pretrain,
        inputs.out,
        inputs.report,
        checkpoint=inputs.checkpoints / "pretrain.pt",
    )
    return {}


def evaluate_model(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Score the model and its baselines; rows for ops_model_evaluations, and the files that the registry logs."""
    from reviewgen_spark.models.evaluation.curves import write_curves
    from reviewgen_spark.models.evaluation.evaluation import evaluate_with_curves
    from reviewgen_spark.reports.model_page import write_model_page

    corpus, model = inputs.artifacts["corpus"], inputs.artifacts["finetune"]
    manifest = json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))
    scores, curves = evaluate_with_curves(model, corpus, inputs.config.evaluate, device=inputs.config.finetune.device)
    write_scores(inputs.out, scores)
    if curves is not None:
        (inputs.out / "curves.json").write_text(write_curves(curves), encoding="utf-8")
    train_rows = sum(manifest["rows_by_split_and_label"]["train"].values())
    write_model_page(model, scores, curves, train_rows, inputs.out)
    metric, name = ("f1_macro", "macro F1") if inputs.config.finetune.tasks == ("aspect",) else ("f1", "F1")
    for score in scores:
        if (score.split, score.slice_name, score.metric) == ("test", "all", metric):
            interval = f" (95 %: {score.low:.4f} to {score.high:.4f})" if score.low is not None else ""
            inputs.report(f"{score.model}: {name} {score.value:.4f}{interval} on {score.rows:,} test rows")
    return {"ops_model_evaluations": evaluation_rows(inputs, scores, model.name)}


def register_model(inputs: Inputs) -> dict[str, "DataFrame"]:
    """Log and register the model; it becomes champion when it beats the one there on this very corpus."""
    from reviewgen_spark.models.registry.registration import register
    from reviewgen_spark.reports.model_page import FILE_NAME as PAGE_FILE

    config = inputs.config
    folder = inputs.artifacts["finetune"]
    manifest = json.loads((inputs.artifacts["corpus"] / "manifest.json").read_text(encoding="utf-8"))
    decision = register(
        model_dir=folder,
        scores=read_scores(inputs.artifacts["evaluate"]),
        fingerprint=inputs.fingerprint,
        params={"labels": manifest["labels"]},
        tags={
            "reviewgen.fingerprint": inputs.fingerprint,
            "reviewgen.corpus": inputs.artifacts["corpus"].name,
            "reviewgen.finetune": folder.name,
        },
        name=config.models.name,
        tracking_uri=config.paths.tracking_uri,
        artifact_root=Path(config.paths.model_artifacts),
        decide=lambda champion: _decide(inputs, champion),
        files=[inputs.artifacts["evaluate"] / name for name in ("curves.json", PAGE_FILE)],
    )
    verdict = "is champion" if decision.promoted else "stays candidate"
    inputs.report(f"{decision.model.name} version {decision.model.version} {verdict}: {decision.reason}")
    return {"ops_model_promotions": promotion_rows(inputs, decision, "register", folder.name)}


def _decide(inputs: Inputs, champion: "RegisteredModel | None") -> tuple[bool, str]:
    """Candidate and champion on the test rows of this very corpus: figures of another split cannot be compared."""
    from reviewgen_spark.models.data.corpus import read_split
    from reviewgen_spark.models.registry.promotion_gate import judge, tell_checks
    from reviewgen_spark.operations.model_comparison import contend, snapshot_of

    examples = read_split(inputs.artifacts["corpus"], "test")
    ours = contend(inputs.config, inputs.artifacts["finetune"], examples)
    theirs = contend(inputs.config, champion.path, examples) if champion else None
    verdict = judge(snapshot_of(examples), ours, theirs, inputs.config.register)
    for line in tell_checks(verdict):
        inputs.report(line)
    return verdict.promoted, verdict.reason
