"""A WordPiece vocabulary trained on the training split alone, so that no test text shapes the model."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

# The order is BERT's, so that [PAD] is 0 as its configuration expects.
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# A run of letters met less often could be one person's name or number, and would be published with the model.
MIN_PIECE_COUNT = 10
# A character met less often has no embedding worth training; it reads as [UNK].
MIN_CHARACTER_COUNT = 2


def train_wordpiece(texts: Sequence[str], size: int) -> Any:
    """Train a `tokenizers.Tokenizer`: lower case, each Chinese character a piece of its own, WordPiece for the rest.

    Chinese characters are cut apart as BERT does (Devlin et al. 2019, multilingual README): pieces of several
    characters are sparse in a small corpus and cut differently by context. docs/experiments.md has the comparison.
    The alphabet is handed to the trainer in a fixed order, for its own cut-off breaks ties by hash order.

    Args:
        texts: the training split.
        size: pieces at most, specials included.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, handle_chinese_chars=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenizer.normalizer.normalize_str(text).replace(" ", ""))
    common = sorted((c for c, n in counts.items() if n >= MIN_CHARACTER_COUNT), key=lambda c: (-counts[c], c))
    alphabet = common[: size - len(SPECIALS)]
    tokenizer.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=size,
            min_frequency=MIN_PIECE_COUNT,
            limit_alphabet=len(alphabet),
            initial_alphabet=alphabet,
            special_tokens=list(SPECIALS),
            show_progress=False,
        ),
    )
    cls_id, sep_id = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls_id), ("[SEP]", sep_id)],
    )
    return tokenizer
