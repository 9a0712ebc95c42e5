"""Estimates the accuracy of each voter from the agreement of voters, without gold labels.

The model is that of Dawid and Skene 1979, fitted by expectation maximisation. It has one accuracy a voter, and the
likelihood ignores abstentions, as in Ratner et al. 2017 ("Snorkel"). A review is positive with probability `prior`, and
a vote is correct with the accuracy of its voter. Given the true label, the errors of voters are independent. This is an
approximation: voters that read the same words share errors, so their accuracies are overestimated.

The votes of two voters alone do not show which is better. So a voter has its own accuracy only if at least 1 % of its
reviews have votes of two others. All other voters share one accuracy and have the same weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

Pattern = frozenset[tuple[str, str]]
"""The votes on a review: pairs of voter and label. Reviews with the same votes have the same posterior."""

_PRIOR_RIGHT, _PRIOR_WRONG = 7.0, 3.0  # pseudo-counts of right and wrong votes in the prior of an accuracy
_PRIOR_CLASS = 10.0
_LEAST_MET = 0.01
_ROUNDS, _TOLERANCE = 500, 1e-6


@dataclass(frozen=True)
class LabelModel:
    """Holds the fitted model: the share of positive reviews, and the accuracy by voter."""

    prior: float
    accuracies: Mapping[str, float]

    def positive(self, pattern: Pattern) -> float:
        """Returns the probability that a review with these votes is positive. Without votes it is the prior.

        >>> model = LabelModel(0.5, {"a": 0.9, "b": 0.6})
        >>> round(model.positive(frozenset([("a", "positive"), ("b", "negative")])), 3)
        0.857
        """
        odds = log(self.prior / (1 - self.prior))
        for voter, label in pattern:
            weight = log(self.accuracies[voter] / (1 - self.accuracies[voter]))
            odds += weight if label == "positive" else -weight
        return 1 / (1 + exp(-odds))


def fit_label_model(patterns: Mapping[Pattern, int]) -> LabelModel:
    """Fits a model to the number of reviews by votes. It is deterministic and takes milliseconds for five voters.

    Without any votes, every accuracy is that of the prior.
    """
    voters = sorted({voter for pattern in patterns for voter, _ in pattern})
    pooled = [voter for voter in voters if not _meets_two(voter, patterns)]
    cast = {pattern: count for pattern, count in sorted(patterns.items(), key=lambda item: sorted(item[0])) if pattern}
    start = _PRIOR_RIGHT / (_PRIOR_RIGHT + _PRIOR_WRONG)
    model = LabelModel(0.5, dict.fromkeys(voters, start))
    for _ in range(_ROUNDS):
        positives = {pattern: model.positive(pattern) for pattern in cast}
        total = sum(cast.values())
        expected = sum(count * positives[pattern] for pattern, count in cast.items())
        prior = (expected + _PRIOR_CLASS / 2) / (total + _PRIOR_CLASS)
        right, spoken = dict.fromkeys(voters, _PRIOR_RIGHT), dict.fromkeys(voters, _PRIOR_RIGHT + _PRIOR_WRONG)
        for pattern, count in cast.items():
            for voter, label in pattern:
                right[voter] += count * (positives[pattern] if label == "positive" else 1 - positives[pattern])
                spoken[voter] += count
        accuracies = {voter: right[voter] / spoken[voter] for voter in voters}
        if pooled:
            shared = sum(right[voter] for voter in pooled) / sum(spoken[voter] for voter in pooled)
            accuracies |= dict.fromkeys(pooled, shared)
        step = max([abs(prior - model.prior), *(abs(accuracies[v] - model.accuracies[v]) for v in voters)])
        model = LabelModel(prior, accuracies)
        if step < _TOLERANCE:
            break
    return model


def _meets_two(voter: str, patterns: Mapping[Pattern, int]) -> bool:
    own = {pattern: count for pattern, count in patterns.items() if voter in dict(pattern)}
    met = sum(count for pattern, count in own.items() if len(pattern) >= 3)
    return met >= _LEAST_MET * sum(own.values())


def majority(pattern: Pattern) -> str | None:
    """Returns the label with most votes; None for a tie or without votes.

    >>> majority(frozenset([("a", "positive"), ("b", "positive"), ("c", "negative")]))
    'positive'
    """
    positive = sum(label == "positive" for _, label in pattern)
    if 2 * positive == len(pattern):
        return None
    return "positive" if 2 * positive > len(pattern) else "negative"
