"""Trains a WordPiece vocabulary on the training split only, so that test texts have no effect on the model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

# The order of BERT, because its configuration expects [PAD] to be 0.
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# A character that occurs once cannot get a useful embedding; it is read as [UNK].
MIN_CHARACTER_COUNT = 2
# A rarer piece could be the name or number of one person, and it would be published with the model.
MIN_PIECE_COUNT = 10
# Limits the parts of very long words (a repeated letter), because their total length grows with the square.
MAX_PIECE_CHARS = 20


def train_wordpiece(texts: Sequence[str], size: int) -> Any:
    """Trains a `tokenizers.Tokenizer`: lower case, one piece per Chinese character, WordPiece for other words.

    Chinese characters are separated as in multilingual BERT (Devlin et al. 2019). Pieces of several characters are
    sparse in a small corpus, and their boundaries depend on context. Other words get the most frequent beginnings and
    endings as pieces, for greedy longest-match. The trainer of `tokenizers` is not used, because it breaks ties by hash
    order. Two runs gave two vocabularies, but equal training must give equal files.

    Args:
        texts: the training split.
        size: the largest number of pieces, special tokens included.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for text in texts:
        words.update(word for word, _span in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    pieces = [*SPECIALS, *frequent_pieces(words, size - len(SPECIALS))]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def frequent_pieces(words: Counter[str], size: int) -> list[str]:
    """Returns the most frequent pieces: single characters first, so that few words are unknown, then parts of words.

    Args:
        words: how often each word occurs.
        size: the largest number of pieces.

    Returns:
        Characters, then parts, each with the most frequent first; ties are ordered by code point.
    """
    characters: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for word, count in words.items():
        for index, character in enumerate(word):
            characters[character if index == 0 else "##" + character] += count
        for end in range(2, min(len(word), MAX_PIECE_CHARS) + 1):
            parts[word[:end]] += count
        for start in range(max(1, len(word) - MAX_PIECE_CHARS), len(word) - 1):
            parts["##" + word[start:]] += count
    singles = _by_count(characters, MIN_CHARACTER_COUNT)[:size]
    return singles + _by_count(parts, MIN_PIECE_COUNT)[: size - len(singles)]


def _by_count(counts: Counter[str], min_count: int) -> list[str]:
    frequent: Iterable[str] = (piece for piece, count in counts.items() if count >= min_count)
    return sorted(frequent, key=lambda piece: (-counts[piece], piece))
