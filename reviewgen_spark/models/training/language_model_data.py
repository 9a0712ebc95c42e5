"""Converts texts to rows and batches of a language model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from reviewgen_spark.config import PretrainSection
from reviewgen_spark.errors import DataQualityError, SchemaError
from reviewgen_spark.models.data.batches import pad
from reviewgen_spark.models.training.objectives import IGNORED, mask_words, split_sentences, word_groups


@dataclass(frozen=True)
class TextRow:
    """Holds the input of one text. With sentence order, `swapped` is the row with the two parts exchanged."""

    ids: list[int]
    groups: list[int]  # the word group of each token; -1 for special tokens
    types: list[int]
    characters: int  # of the part of the text that the tokens cover
    swapped: "TextRow | None" = None


def read_texts(corpus: Path, split: str) -> list[str]:
    """Returns the texts of a split, ordered by record_id, so that shards and their order have no effect.

    Raises:
        SchemaError: the folder is not a finished corpus.
        DataQualityError: the split has no text.
    """
    if not (corpus / "manifest.json").is_file():
        raise SchemaError(
            f"{corpus}: has no manifest.json, so the corpus is not finished; run `reviewgen run pretrain`"
        )
    table = pq.read_table(corpus / split, columns=["record_id", "text"]).sort_by("record_id")
    texts = [text for text in table.column("text").to_pylist() if text and not text.isspace()]
    if not texts:
        raise DataQualityError(f"{corpus / split}: has no text; ingest reviews first, or change the split's shares")
    return texts


def encode(tokenizer: Any, texts: Sequence[str], section: PretrainSection) -> list[TextRow]:
    """Splits texts into tokens, and groups the tokens of each word."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_length=section.max_tokens)
    pairs = [split_sentences(text) if section.objective == "mlm+sop" else None for text in texts]
    rows = _encode(backend, list(texts))
    split = [index for index, pair in enumerate(pairs) if pair]
    in_order = _encode(backend, [pair for pair in pairs if pair])
    swapped = _encode(backend, [pair[::-1] for pair in pairs if pair])
    for index, row, swapped_row in zip(split, in_order, swapped, strict=True):
        rows[index] = replace(row, swapped=swapped_row)
    return rows


def _encode(backend: Any, texts: list[Any]) -> list[TextRow]:
    import rjieba

    cut = rjieba.Jieba().cut
    rows: list[TextRow] = []
    for start in range(0, len(texts), 4096):
        part = texts[start : start + 4096]
        for text, encoding in zip(part, backend.encode_batch(part), strict=True):
            segments = (text,) if isinstance(text, str) else text
            groups: list[int] = [-1] * len(encoding.ids)
            first_group = 0
            for number, segment in enumerate(segments):
                # The sequence of a token is the number of its segment, in which its offsets count; None: special token.
                indices = [index for index, sequence in enumerate(encoding.sequence_ids) if sequence == number]
                word_numbers = word_groups([encoding.offsets[index] for index in indices], cut(segment), segment)
                for index, group in zip(indices, word_numbers, strict=True):
                    groups[index] = group + first_group if group >= 0 else -1
                first_group = max([*groups, -1]) + 1
            rows.append(TextRow(encoding.ids, groups, encoding.type_ids, _characters(encoding, segments)))
    return rows


def _characters(encoding: Any, segments: Sequence[str]) -> int:
    """Returns how many characters the tokens cover. In a truncated text, these are the characters before the end."""
    if not encoding.overflowing:
        return sum(map(len, segments))
    ends = [0] * len(segments)
    for (_start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True):
        if sequence is not None:
            ends[sequence] = max(ends[sequence], end)
    return sum(ends)


def make_batch(
    rows: Sequence[TextRow],
    section: PretrainSection,
    rng: np.random.Generator,
    pad_id: int,
    mask_id: int | None,
    vocabulary: int,
    device: str,
) -> dict[str, torch.Tensor]:
    """Makes the inputs and labels of one batch.

    Returns:
        `input_ids`, `attention_mask` and `labels`, all (B, T). With sentence order also `token_type_ids` (B, T), and
        `order` (B,), which is 1 if the parts are exchanged.
    """
    if section.objective == "clm":
        ids, mask = pad([row.ids for row in rows], pad_id, device)  # (B, T), (B, T)
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORED)}
    chosen_rows: list[TextRow] = []
    order: list[int] = []
    for row in rows:
        is_swapped = row.swapped is not None and rng.random() < 0.5
        chosen_rows.append(row.swapped if is_swapped and row.swapped else row)
        order.append(IGNORED if row.swapped is None else int(is_swapped))
    assert mask_id is not None  # checked when the model was loaded
    masked = [mask_words(row.ids, row.groups, rng, mask_id, vocabulary, section.mask_pct / 100) for row in chosen_rows]
    ids, mask = pad([masked_ids.tolist() for masked_ids, _labels in masked], pad_id, device)
    labels, _ = pad([row_labels.tolist() for _ids, row_labels in masked], IGNORED, device)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if section.objective == "mlm+sop":
        batch["token_type_ids"], _ = pad([row.types for row in chosen_rows], 0, device)
        batch["order"] = torch.as_tensor(order, device=device)
    return batch
