"""A stage whose code changed must say so: bump its `version`, then renew the list with this file as a command.

The list holds, by stage, its version and a hash of the modules that shape its rows. `python -m
tests.unit.test_stage_versions` writes it.
"""

import ast
import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).parents[1] / "fixtures" / "stage_versions.json"

LOOP = ("models/loop", "models/optimizer", "models/checkpoint")
# The modules that shape the rows of a stage; what all of them share (runner, tables, schemas) writes rows unchanged.
MODULES = {
    "ingest": ("transforms/ingest", "transforms/history", "transforms/landing", "transforms/records",
               "transforms/source_files"),
    "clean": ("transforms/clean", "text/clean", "text/normalise", "text/markup", "text/mojibake", "text/emoji",
              "text/characters", "text/language", "text/pii", "text/address", "text/checksum", "text/boilerplate"),
    "dedup": ("transforms/dedup", "transforms/history", "transforms/components", "text/minhash"),
    "split": ("transforms/split",),
    "tokens": ("transforms/tokens", "text/tokenise", "text/word_lists"),
    "weak_labels": ("transforms/weak_labels", "text/voters", "text/lexicon", "text/label_model"),
    "keywords": ("products/keywords", "text/textrank", "transforms/views"),
    "label": ("inference/label", "inference/batching", "inference/metering", "models/predictor", "models/runtime",
              "models/bert"),
    "satisfaction": ("products/satisfaction", "transforms/views"),
    "summarise": ("products/summaries", "text/summary", "text/aspects", "text/sentences", "text/lexicon",
                  "text/tokenise", "text/checks", "text/phrases", "text/voice", "text/provenance", "text/requests",
                  "transforms/views"),
    "reply": ("products/requests", "generation", "inference/generate", "inference/attempts",
              "inference/template_writer", "inference/torch_writer", "inference/endpoint", "models/decoding",
              "models/sampling", "models/reader", "models/kv_cache", "models/attention", "text/templates",
              "text/checks", "text/refusals", "text/injection", "text/prompts", "text/provenance", "text/requests"),
    "generate": ("products/requests", "generation", "inference/generate", "inference/attempts",
                 "inference/template_writer", "inference/torch_writer", "inference/endpoint", "models/decoding",
                 "models/sampling", "models/reader", "models/kv_cache", "models/attention", "text/templates",
                 "text/checks", "text/refusals", "text/injection", "text/prompts", "text/provenance", "text/requests"),
    "corpus": ("transforms/corpus",),
    "pretraining_corpus": ("transforms/corpus",),
    "pretrain": ("models/pretraining", "models/objectives", *LOOP, "models/encoder", "models/decoder",
                 "models/vocabulary", "models/batches"),
    "finetune": ("models/finetuning", *LOOP, "models/heads", "models/tasks", "models/corpus", "models/encoder",
                 "models/embedded", "models/pruning", "models/batches", "models/vocabulary", "models/adapters",
                 "models/augmentation", "models/back_translation"),
    "pretrain_generator": ("models/pretraining", *LOOP, "models/decoder", "models/embedded", "models/pruning",
                           "models/vocabulary", "models/batches"),
    "finetune_generator": ("models/generator_training", "models/generation_examples", "models/control_codes",
                           "models/decoder", "models/generator", *LOOP, "models/batches", "text/requests"),
    "evaluate_generator": ("models/generator_evaluation", "models/text_metrics", "models/ngram", "models/decoding",
                           "models/sampling", "models/reader", "models/kv_cache", "models/attention",
                           "models/generation_examples", "models/control_codes"),
    "register_generator": ("models/generator_registry", "models/mlflow_store"),
    "evaluate": ("models/evaluation", "models/metrics", "models/baselines", "models/robustness",
                 "models/curves"),
    "distil": ("models/distillation", *LOOP, "models/heads", "models/tasks", "models/corpus", "models/encoder",
               "models/embedded", "models/pruning", "models/batches", "models/vocabulary"),
    "compress": ("models/compression", "models/compression_table", "models/weight_pruning", "models/onnx_export",
                 "models/distillation", *LOOP, "models/evaluation", "models/metrics", "models/robustness"),
    "register_compressed": ("models/registration", "models/promotion", "models/registry", "models/mlflow_model",
                            "models/mlflow_store", "models/pyfunc", "models/gate", "compression"),
    "register": ("models/registration", "models/promotion", "models/registry", "models/mlflow_model",
                 "models/mlflow_store", "models/pyfunc", "models/gate", "comparison"),
}  # fmt: skip


def code_hash(stage: str) -> str:
    """Hash of the syntax trees without docstrings: a better comment is no other code."""
    digest = hashlib.sha256()
    for module in MODULES[stage]:
        tree = ast.parse((ROOT / "reviewgen_spark" / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if (
                isinstance(body, list)
                and body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
            ):
                body[0].value.value = ""
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def current() -> dict[str, dict[str, object]]:
    from reviewgen_spark.pipelines import all_stages

    stages = {stage.name: stage.version for stage in all_stages() if stage.name in MODULES}
    return {name: {"version": version, "code": code_hash(name)} for name, version in sorted(stages.items())}


def test_code_that_changed_has_a_new_version() -> None:
    committed, now = json.loads(LIST.read_text(encoding="utf-8")), current()
    assert set(committed) == set(now)
    for name, entry in now.items():
        if entry["code"] != committed[name]["code"]:
            bumped = entry["version"] > committed[name]["version"]
            step = "renew the list" if bumped else "bump its version if its rows change, then renew the list"
            raise AssertionError(f"{name}: its code changed: {step} (python -m tests.unit.test_stage_versions)")


def test_every_stage_that_writes_rows_is_listed() -> None:
    from reviewgen_spark.pipelines import all_stages

    assert {stage.name for stage in all_stages()} - set(MODULES) == {"report"}


if __name__ == "__main__":
    LIST.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
