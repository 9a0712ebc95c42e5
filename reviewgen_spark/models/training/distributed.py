"""Fine-tunes in several processes, each on its share of every batch. `TorchDistributor` runs this in each process."""

import os
from pathlib import Path

from reviewgen_spark.config import FinetuneSection
from reviewgen_spark.config.messages import print_line


def finetune_in_group(
    corpus: str, base: str, section: dict[str, object], out: str, checkpoint: str, base_name: str
) -> dict[str, float]:
    """Joins the process group of the environment, trains, and leaves it. Returns the figures of the best epoch.

    Arguments are plain values, because they are sent to other processes. Rank 0 writes the folder. Gradients are
    averaged so that a step equals that of one process with the whole batch. Only dropout differs, because each process
    draws its own.
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
        result = finetune(
            Path(corpus),
            base,
            parsed,
            Path(out),
            progress=print_line,
            checkpoint=Path(checkpoint),
            base_name=base_name,
        )
        return dict(result.curve[result.best_epoch - 1])
    finally:
        group.destroy_process_group()
