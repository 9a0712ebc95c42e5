"""Turns texts into rows and batches of a language model."""

from collections.abc import Sequence
from dataclasses import dataclass
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
class Row:
    """One text as the model reads it. With sentence order, `swapped` holds the ids with the parts exchanged."""

    ids: list[int]
    groups: list[int]
    types: list[int]
    characters: int
    swapped: "Row | None" = None


def read_texts(corpus: Path, split: str) -> list[str]:
    """The texts of a split, by record_id, so that shards and their order change nothing.

    Raises:
        SchemaError: the folder is no finished corpus.
        DataQualityError: there is no text.
    """
    if not (corpus / "manifest.json").is_file():
        raise SchemaError(f"{corpus}: has no manifest.json, so it is no finished corpus; run `reviewgen run pretrain`")
    table = pq.read_table(corpus / split, columns=["record_id", "text"]).sort_by("record_id")
    texts = [text for text in table.column("text").to_pylist() if text and not text.isspace()]
    if not texts:
        raise DataQualityError(
            f"{corpus / split}: holds no text to read; ingest reviews first, or change the split's shares"
        )
    return texts


def encode(tokenizer: Any, texts: Sequence[str], section: PretrainSection) -> list[Row]:
    """Cut texts into tokens, and know which of them make a word."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_length=section.max_tokens)
    pairs = [split_sentences(text) if section.objective == "mlm+sop" else None for text in texts]
    found = _encode(backend, list(texts))
    both = [place for place, pair in enumerate(pairs) if pair]
    forwards = dict(zip(both, _encode(backend, [pairs[place] for place in both]), strict=True))
    turned = [pair[::-1] for pair in pairs if pair]
    backwards = dict(zip(both, _encode(backend, turned), strict=True))
    rows: list[Row] = []
    for place, row in enumerate(found):
        if place not in forwards:
            rows.append(row)
            continue
        one = forwards[place]
        rows.append(Row(one.ids, one.groups, one.types, one.characters, backwards[place]))
    return rows


def _encode(backend: Any, texts: list[Any]) -> list[Row]:
    import rjieba

    cut = rjieba.Jieba().cut
    rows: list[Row] = []
    for start in range(0, len(texts), 4096):
        part = texts[start : start + 4096]
        for text, found in zip(part, backend.encode_batch(part), strict=True):
            segments = (text,) if isinstance(text, str) else text
            groups: list[int] = [-1] * len(found.ids)
            first = 0
            for number, segment in enumerate(segments):
                # A token's sequence says which segment its offsets count in; None is a special token.
                places = [place for place, of in enumerate(found.sequence_ids) if of == number]
                numbers = word_groups([found.offsets[place] for place in places], cut(segment), segment)
                for place, group in zip(places, numbers, strict=True):
                    groups[place] = group + first if group >= 0 else -1
                first = max([*groups, -1]) + 1
            rows.append(Row(found.ids, groups, found.type_ids, _characters(found, segments)))
    return rows


def _characters(found: Any, segments: Sequence[str]) -> int:
    """The characters that the tokens stand for: of a text that was cut, those up to the cut."""
    if not found.overflowing:
        return sum(map(len, segments))
    ends = [0] * len(segments)
    for (_start, end), of in zip(found.offsets, found.sequence_ids, strict=True):
        if of is not None:
            ends[of] = max(ends[of], end)
    return sum(ends)


def make_batch(
    rows: Sequence[Row],
    section: PretrainSection,
    rng: np.random.Generator,
    pad_id: int,
    mask_id: int | None,
    vocabulary: int,
    device: str,
) -> dict[str, torch.Tensor]:
    """What the model reads, and what it is asked.

    `input_ids`, `attention_mask`, `labels` (B, T), and with sentence order `token_type_ids` (B, T) and `order` (B,), 1
    where the parts were exchanged.
    """
    if section.objective == "clm":
        ids, mask = pad([row.ids for row in rows], pad_id, device)  # (B, T), (B, T)
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORED)}
    asked: list[Row] = []
    order: list[int] = []
    for row in rows:
        is_swapped = row.swapped is not None and rng.random() < 0.5
        asked.append(row.swapped if is_swapped and row.swapped else row)
        order.append(IGNORED if row.swapped is None else int(is_swapped))
    assert mask_id is not None  # checked when the model was loaded
    masked = [mask_words(row.ids, row.groups, rng, mask_id, vocabulary, section.mask_pct / 100) for row in asked]
    ids, mask = pad([read.tolist() for read, _wanted in masked], pad_id, device)
    labels, _ = pad([wanted.tolist() for _read, wanted in masked], IGNORED, device)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if section.objective == "mlm+sop":
        batch["token_type_ids"], _ = pad([row.types for row in asked], 0, device)
        batch["order"] = torch.as_tensor(order, device=device)
    return batch
