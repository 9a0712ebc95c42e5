"""Scores texts on a worker: tokenises in bulk, sorts by length, cuts by token budget, and halves too big batches.

This is plain Python over lists. Spark passes texts in and takes results, and `score` calls torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reviewgen_spark.models.data.batches import cut_by_token_budget

if TYPE_CHECKING:
    from reviewgen_spark.models.classifier.tokenizer import Tokens

Score = npt.NDArray[np.float64]
"""Output of the model for a row: the probability of every label of every head, (labels of all heads,)."""

ScoreRows = Callable[[list[list[int]]], Sequence[Score]]
"""Token ids of B rows -> B scores; may raise an out-of-memory error."""


@dataclass(frozen=True)
class RowError:
    """Describes why a row has no result; the message never contains its text."""

    error_class: str
    message: str


@dataclass(frozen=True)
class Scored:
    """Holds a row's result: a score or an error, and how much of the text the model read."""

    score: Score | None = None
    error: RowError | None = None
    is_truncated: bool = False
    token_count: int = 0


def find_unreadable(text: str | None, max_chars: int) -> RowError | None:
    """Returns why a text cannot be scored, before any time is spent on it; None if it can."""
    if text is None:
        return RowError("NullText", "the text is null")
    if not text or text.isspace():
        return RowError("EmptyText", "the text is empty")
    if len(text) > max_chars:
        return RowError("TextTooLong", f"the text has {len(text)} characters, label.max_chars is {max_chars}")
    return None


def score_window(
    texts: Sequence[str | None],
    record_ids: Sequence[str],
    encode: Callable[[list[str]], "list[Tokens]"],
    score: ScoreRows,
    max_chars: int,
    tokens_per_batch: int,
    answer: Callable[[list[str]], npt.NDArray[np.float64]] | None = None,
) -> list[Scored]:
    """Scores one window of rows; returns one result a row, in the rows' order.

    Args:
        texts: the window's texts; null, empty and too long ones get an error and are not passed to the model.
        record_ids: break ties between texts of equal length, so that batches do not depend on the order of rows.
        encode: texts -> tokens, in bulk.
        score: runs the model on one batch.
        max_chars: texts longer than this get an error.
        tokens_per_batch: rows x longest row of a batch, at most.
        answer: texts -> (N, labels of all heads), called first; only rows of NaN are tokenised and scored.
    """
    results = [Scored(error=find_unreadable(text, max_chars)) for text in texts]
    readable = [index for index, result in enumerate(results) if result.error is None]
    if answer and readable:
        answers = answer([texts[index] or "" for index in readable])
        is_sure = np.isfinite(answers).all(axis=1)
        for position in np.flatnonzero(is_sure):
            results[readable[position]] = Scored(score=answers[position])
        readable = [readable[position] for position in np.flatnonzero(~is_sure)]
    tokens = dict(zip(readable, encode([texts[index] or "" for index in readable]), strict=True)) if readable else {}
    for index in [index for index in readable if tokens[index].is_blank]:
        results[index] = Scored(error=RowError("EmptyText", "nothing of the text is left to read after tokenising"))
        del tokens[index]
    rows = list(tokens)
    batches = cut_by_token_budget(
        [len(tokens[row].ids) for row in rows], [record_ids[row] for row in rows], tokens_per_batch
    )
    for batch in batches:
        members = [rows[position] for position in batch]
        scores = score_halving([tokens[row].ids for row in members], score)
        for row, outcome in zip(members, scores, strict=True):
            row_tokens = tokens[row]
            results[row] = Scored(
                score=None if isinstance(outcome, RowError) else outcome,
                error=outcome if isinstance(outcome, RowError) else None,
                is_truncated=row_tokens.is_truncated,
                token_count=len(row_tokens.ids),
            )
    return results


def score_halving(rows: list[list[int]], score: ScoreRows) -> list[Score | RowError]:
    """Scores a batch. If memory is too small it scores the halves, down to one row, which then gets an error.

    A row whose score is not finite gets an error too.

    Args:
        rows: token ids, at least one row.
        score: rows -> as many scores; may raise an out-of-memory error.
    """
    try:
        return [_checked(value) for value in score(rows)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the except block: the traceback there would keep the failed batch's tensors alive.
    if len(rows) == 1:
        return [no_memory(len(rows[0]))]
    half = len(rows) // 2
    return [*score_halving(rows[:half], score), *score_halving(rows[half:], score)]


def _checked(score: Score) -> Score | RowError:
    if np.isfinite(score).all():
        return score
    return RowError("NotFinite", "the model gave no finite score; label.precision float32 may help")


def no_memory(tokens: int) -> RowError:
    """Returns the error of a row that is too big for memory even alone."""
    return RowError("OutOfMemory", f"no memory for a batch of one row with {tokens} tokens")


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error is a lack of memory. torch has a class for it on CUDA, and only a message on CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
