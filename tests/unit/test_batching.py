from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from reviewgen_spark.inference.labelling.batching import RowError, Scored, find_unreadable, score_halving, score_window


@dataclass(frozen=True)
class FakeTokens:
    ids: list[int]
    is_truncated: bool = False
    is_blank: bool = False


def encode(texts: Sequence[str]) -> list[FakeTokens]:
    return [FakeTokens([ord(c) for c in text[:6]], len(text) > 6, text == "?") for text in texts]


class Scorer:
    """Scores a row by its first token, records each batch, and fails above a number of cells."""

    def __init__(self, cells: int = 10_000) -> None:
        self.cells = cells
        self.batches: list[list[int]] = []

    def __call__(self, rows: list[list[int]]) -> list[float]:
        if len(rows) * max(len(row) for row in rows) > self.cells:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
            )
        self.batches.append([len(row) for row in rows])
        return [row[0] / 1000 for row in rows]


def run(texts: list[str | None], scorer: Scorer, tokens: int = 8) -> list[Scored]:
    ids = [f"r{index}" for index in range(len(texts))]
    return score_window(texts, ids, encode, scorer, max_chars=20, tokens_per_batch=tokens)  # type: ignore[arg-type]


def test_results_keep_the_order_of_the_rows() -> None:
    scorer = Scorer()
    results = run(["bbbb", "a", "cc", "dd", "e"], scorer)
    assert [result.score for result in results] == [ord(c) / 1000 for c in "bacde"]
    assert scorer.batches == [[1, 1, 2, 2], [4]]  # sorted by length, 8 tokens a batch


def test_unreadable_rows_get_an_error_and_are_not_scored() -> None:
    scorer = Scorer()
    results = run([None, "", " \n", "x" * 21, "?", "a"], scorer)
    assert [result.error and result.error.error_class for result in results] == [
        "NullText",
        "EmptyText",
        "EmptyText",
        "TextTooLong",
        "EmptyText",
        None,
    ]
    assert [result.score for result in results[:5]] == [None] * 5
    assert scorer.batches == [[1]]
    assert find_unreadable("x" * 21, 20) == RowError("TextTooLong", "the text has 21 characters, label.max_chars is 20")


def test_a_window_of_unreadable_rows_never_calls_the_model() -> None:
    scorer = Scorer()
    assert [result.score for result in run([None, ""], scorer)] == [None, None]
    assert scorer.batches == []


def test_results_have_token_count_and_truncation() -> None:
    long, short = run(["a" * 9, "bb"], Scorer())
    assert (long.is_truncated, long.token_count) == (True, 6)
    assert (short.is_truncated, short.token_count) == (False, 2)


def test_out_of_memory_halves_down_to_one_row() -> None:
    scorer = Scorer(cells=4)
    results = run(["aa", "bb", "cc", "dd", "eeeee"], scorer, tokens=100)
    assert [result.score for result in results[:4]] == [ord(c) / 1000 for c in "abcd"]
    assert results[4].error == RowError("OutOfMemory", "no memory for a batch of one row with 5 tokens")
    assert results[4].score is None
    assert scorer.batches == [[2, 2], [2], [2]]


def test_a_score_that_is_nan_is_an_error() -> None:
    scores = score_halving([[1], [2]], lambda rows: [float("nan"), 0.5])
    assert scores[1] == 0.5
    assert isinstance(scores[0], RowError)


def test_other_runtime_errors_are_raised() -> None:
    def fail(rows: list[list[int]]) -> list[float]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        score_halving([[1]], fail)
