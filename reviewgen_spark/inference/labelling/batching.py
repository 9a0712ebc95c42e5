"""How a worker turns texts into scores: tokenise in bulk, sort by length, cut by token budget, survive big batches.

Pure Python over lists: Spark hands in texts and takes results, torch is behind the `score` function.
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
"""What the model says of a row: the probability of every label of every head, (labels of all heads,)."""

ScoreRows = Callable[[list[list[int]]], Sequence[Score]]
"""Token ids of B rows -> B scores; may raise an out-of-memory error."""


@dataclass(frozen=True)
class RowError:
    """Why a row has no result; the message never holds its text."""

    error_class: str
    message: str


@dataclass(frozen=True)
class Scored:
    """A row's result: a score or an error, and what the model read of the text."""

    score: Score | None = None
    error: RowError | None = None
    is_truncated: bool = False
    token_count: int = 0


def find_unreadable(text: str | None, max_chars: int) -> RowError | None:
    """Say why a text cannot be scored at all, before any time is spent on it."""
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
    """Score one window of rows; returns one result a row, in the rows' order.

    Args:
        texts: the window's texts; null, empty and over-long ones get an error and never meet the model.
        record_ids: break ties between texts of equal length, so that the batches do not depend on arrival.
        encode: texts -> tokens, in bulk.
        score: runs the model on one batch.
        max_chars: texts longer than this get an error.
        tokens_per_batch: rows x longest row of a batch, at most.
        answer: texts -> (N, labels of all heads), asked first; only rows of NaN are cut into tokens and scored.
    """
    results = [Scored(error=find_unreadable(text, max_chars)) for text in texts]
    readable = [index for index, result in enumerate(results) if result.error is None]
    if answer and readable:
        answers = answer([texts[index] or "" for index in readable])
        is_sure = np.isfinite(answers).all(axis=1)
        for place in np.flatnonzero(is_sure):
            results[readable[place]] = Scored(score=answers[place])
        readable = [readable[place] for place in np.flatnonzero(~is_sure)]
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
        for row, found in zip(members, scores, strict=True):
            facts = tokens[row]
            results[row] = Scored(
                score=None if isinstance(found, RowError) else found,
                error=found if isinstance(found, RowError) else None,
                is_truncated=facts.is_truncated,
                token_count=len(facts.ids),
            )
    return results


def score_halving(rows: list[list[int]], score: ScoreRows) -> list[Score | RowError]:
    """Score a batch; on out-of-memory its halves, down to one row, which then gets an error, as no number does.

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
    """The error of a row of so many tokens that is too big even alone."""
    return RowError("OutOfMemory", f"no memory for a batch of one row with {tokens} tokens")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a lack of memory from a fault: torch has a class for it on CUDA, and only a message on CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
