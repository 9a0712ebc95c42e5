"""A WordPiece vocabulary made from the training split alone, so that no test text shapes the model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

# The order is BERT's, so that [PAD] is 0 as its configuration expects.
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# A character met once has no embedding worth training; it reads as [UNK].
MIN_CHARACTER_COUNT = 2
# A run of letters met less often could be one person's name or number, and would be published with the model.
MIN_PIECE_COUNT = 10
# Longer words exist (a reader leant on a key), and the parts of one are as many as the square of its length.
MAX_PIECE_CHARS = 20


def train_wordpiece(texts: Sequence[str], size: int) -> Any:
    """Make a `tokenizers.Tokenizer`: lower case, each Chinese character a piece of its own, WordPiece for the rest.

    Chinese characters are cut apart as multilingual BERT does (Devlin et al. 2019): pieces of several characters are
    sparse in a small corpus and cut differently by context. Other words get the most frequent beginnings and endings
    as pieces, which greedy longest-match then joins. The trainer that `tokenizers` has is not used: it breaks ties by
    hash order, so two runs give two vocabularies (tried), and equal training must give equal files.

    Args:
        texts: the training split.
        size: pieces at most, specials included.
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
    """Choose the pieces by count: single characters first, so that few words are unknown, then parts of words.

    Args:
        words: how often each word occurs.
        size: pieces at most.

    Returns:
        Pieces, the most frequent first; ties go by code point.
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


def _by_count(counts: Counter[str], least: int) -> list[str]:
    frequent: Iterable[str] = (piece for piece, count in counts.items() if count >= least)
    return sorted(frequent, key=lambda piece: (-counts[piece], piece))
