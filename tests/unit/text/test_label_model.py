"""Tests the label model on votes with known labels."""

import random

import pytest

from reviewgen_spark.text.opinions.label_model import LabelModel, Pattern, fit_label_model, majority

TRUE = {"good": 0.95, "fair": 0.75, "poor": 0.6, "rare": 0.9}
SPEAKS = {"good": 0.9, "fair": 0.8, "poor": 0.95, "rare": 0.1}


def votes(rows: int, positive_share: float = 0.7) -> list[tuple[str, Pattern]]:
    draw, rows_made = random.Random(1), []
    for _ in range(rows):
        truth, other = ("positive", "negative") if draw.random() < positive_share else ("negative", "positive")
        cast = {(name, truth if draw.random() < TRUE[name] else other) for name in TRUE if draw.random() < SPEAKS[name]}
        rows_made.append((truth, frozenset(cast)))
    return rows_made


def count(rows: list[tuple[str, Pattern]]) -> dict[Pattern, int]:
    counts: dict[Pattern, int] = {}
    for _, pattern in rows:
        counts[pattern] = counts.get(pattern, 0) + 1
    return counts


def test_accuracies_are_estimated_without_labels() -> None:
    model = fit_label_model(count(votes(20_000)))
    assert model.accuracies == pytest.approx(TRUE, abs=0.03)
    assert model.prior == pytest.approx(0.7, abs=0.02)


def test_the_label_model_beats_the_majority_vote() -> None:
    rows = votes(5_000)
    model = fit_label_model(count(rows))
    voted = [(truth, pattern) for truth, pattern in rows if pattern]
    ours = sum((model.positive(pattern) >= 0.5) == (truth == "positive") for truth, pattern in voted)
    theirs = sum(majority(pattern) == truth for truth, pattern in voted)
    assert ours > theirs * 1.05


def test_two_voters_that_agree_on_80_percent_have_equal_accuracies() -> None:
    """Four of five votes agree, and each voter disagrees equally often, so only the prior decides."""
    vote_counts = {("+", "+"): 40, ("-", "-"): 40, ("+", "-"): 10, ("-", "+"): 10}
    label = {"+": "positive", "-": "negative"}
    model = fit_label_model({frozenset([("a", label[a]), ("b", label[b])]): n for (a, b), n in vote_counts.items()})
    assert model.accuracies["a"] == pytest.approx(model.accuracies["b"], abs=1e-6)
    assert 0.8 < model.accuracies["b"] < 0.95


def test_without_votes_the_prior_is_one_half() -> None:
    assert fit_label_model({frozenset(): 10}) == LabelModel(0.5, {})
    assert fit_label_model({}).positive(frozenset()) == 0.5
    assert majority(frozenset()) is None


def test_the_result_does_not_depend_on_the_order_of_patterns() -> None:
    counts = count(votes(500))
    assert fit_label_model(counts) == fit_label_model(dict(reversed(counts.items())))
