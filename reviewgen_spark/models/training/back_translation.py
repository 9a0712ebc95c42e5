"""Paraphrases texts by back-translation: into another language and back.

Source: Sennrich et al. (2016), Improving Neural Machine Translation Models with Monolingual Data; for augmentation: Xie
et al. (2020), Unsupervised Data Augmentation.

Any two sequence-to-sequence checkpoints of transformers can be used, such as the Marian models of OPUS-MT. Decoding is
greedy, so equal texts give equal variants in any batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reviewgen_spark.config.progress import add_bar, progress_bars
from reviewgen_spark.errors import ModelNotFoundError
from reviewgen_spark.models.bases.quiet_transformers import quiet_transformers
from reviewgen_spark.models.data.batches import cut_by_token_budget

TOKENS_PER_BATCH = 2048


@dataclass(frozen=True)
class Translator:
    """Translates in one direction, with a tokenizer and a model on a device."""

    tokenizer: Any
    model: Any
    max_tokens: int

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translates texts, in order. A batch holds texts of similar length."""
        rows = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]
        translated = [""] * len(rows)
        for batch in cut_by_token_budget([len(row) for row in rows], list(texts), TOKENS_PER_BATCH):
            inputs = self.tokenizer.pad({"input_ids": [rows[row] for row in batch]}, return_tensors="pt")
            with torch.inference_mode():
                generated = self.model.generate(
                    input_ids=inputs["input_ids"].to(self.model.device),
                    attention_mask=inputs["attention_mask"].to(self.model.device),
                    max_new_tokens=self.max_tokens,
                    num_beams=1,
                    do_sample=False,
                )
            for row, text in zip(batch, self.tokenizer.batch_decode(generated, skip_special_tokens=True), strict=True):
                translated[row] = text.strip()
        return translated


def load_translator(name: str, device: str, max_tokens: int) -> Translator:
    """Loads a checkpoint by its folder, or by its name on the hub.

    Raises:
        ModelNotFoundError: the checkpoint does not exist, or is not on this machine.
    """
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    source = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = AutoModelForSeq2SeqLM.from_pretrained(source)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelNotFoundError(
            f"finetune.back_translation: '{name}' could not be loaded as a sequence-to-sequence model "
            f"({type(error).__name__}); download it first, or use a folder"
        ) from error
    return Translator(tokenizer, model.eval().to(device), max_tokens)


@progress_bars()
def back_translate(
    texts: Sequence[str], there: Translator, back: Translator, progress: Callable[[str], None]
) -> list[str | None]:
    """Returns a variant of each text. It is None if the translation is empty or equals the text.

    Args:
        texts: the texts to paraphrase. Variants are synthetic, and for training only.
        there: translates into the other language.
        back: translates from it.
        progress: called with one line per chunk of 1,000 texts; the lines contain no review text.
    """
    variants: list[str | None] = []
    advance = add_bar("back-translation: texts", len(texts))
    for start in range(0, len(texts), 1000):
        part = texts[start : start + 1000]
        translated = back.translate(there.translate(part))
        variants += [
            variant if variant and variant != text else None for text, variant in zip(part, translated, strict=True)
        ]
        advance(len(part))
        progress(f"back-translated {len(variants):,} of {len(texts):,} texts")
    return variants
