"""The same fine-tuning in several processes, each on its share of every batch; what `TorchDistributor` runs in each."""

import os
from pathlib import Path

from reviewgen_spark.config import FinetuneSection


def finetune_in_group(
    corpus: str, base: str, section: dict[str, object], out: str, checkpoint: str, base_name: str
) -> dict[str, float]:
    """Join the group of processes that the environment describes, train, leave it; the figures of the kept epoch.

    Arguments are plain values, as they travel to processes of their own; rank 0 writes the folder. Gradients are
    averaged so that each step is that of one process with the whole batch (dropout apart, which each draws for itself).
    """
    import torch.distributed as group

    from reviewgen_spark.models.classifier.loading import choose_device
    from reviewgen_spark.models.training.finetuning import finetune

    parsed = FinetuneSection.model_validate(section)
    device = choose_device(parsed.device)
    if device == "cuda":
        import torch

        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    group.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        found = finetune(
            Path(corpus),
            base,
            parsed,
            Path(out),
            progress=lambda line: print(line, flush=True),
            checkpoint=Path(checkpoint),
            base_name=base_name,
        )
        return dict(found.curve[found.best_epoch - 1])
    finally:
        group.destroy_process_group()
