"""Estimates the accuracy of each voter from how often voters agree, without gold labels.

The model is that of Dawid and Skene 1979, fitted by expectation maximisation. It has one accuracy a voter, and the
likelihood ignores abstentions, as in Ratner et al. 2017 ("Snorkel"). A review is positive with probability `prior`, and
a vote is correct with the accuracy of its voter. Given the true label, the errors of voters are independent. This is an
approximation: voters that read the same words share errors, so their accuracies are overestimated.

The votes of only two voters do not show which is better. So a voter has its own accuracy only if at least 1 % of its
reviews have votes of two other voters. The remaining voters share one accuracy and have the same weight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

Pattern = frozenset[tuple[str, str]]
"""The votes on a review: pairs of voter and label. Reviews with the same votes have the same posterior."""

_PRIOR_CORRECT, _PRIOR_WRONG = 7.0, 3.0  # pseudo-counts of correct and wrong votes in the prior of an accuracy
_PRIOR_CLASS = 10.0  # pseudo-count of reviews in the prior of the share of positive reviews
_MIN_OVERLAP = 0.01  # share of the reviews of a voter that have votes of two others
_ROUNDS, _TOLERANCE = 500, 1e-6


@dataclass(frozen=True)
class LabelModel:
    """Holds the fitted model: the share of positive reviews, and the accuracy of each voter."""

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
    """Fits a model to the number of reviews with each pattern of votes. Equal counts give equal models.

    It takes milliseconds for five voters. Without votes, every accuracy is that of the prior.
    """
    voters = sorted({voter for pattern in patterns for voter, _ in pattern})
    pooled = [voter for voter in voters if not _overlaps_two_others(voter, patterns)]
    voted = {pattern: count for pattern, count in sorted(patterns.items(), key=lambda item: sorted(item[0])) if pattern}
    start = _PRIOR_CORRECT / (_PRIOR_CORRECT + _PRIOR_WRONG)
    model = LabelModel(0.5, dict.fromkeys(voters, start))
    for _ in range(_ROUNDS):
        positives = {pattern: model.positive(pattern) for pattern in voted}
        total = sum(voted.values())
        expected = sum(count * positives[pattern] for pattern, count in voted.items())
        prior = (expected + _PRIOR_CLASS / 2) / (total + _PRIOR_CLASS)
        correct, votes = dict.fromkeys(voters, _PRIOR_CORRECT), dict.fromkeys(voters, _PRIOR_CORRECT + _PRIOR_WRONG)
        for pattern, count in voted.items():
            for voter, label in pattern:
                correct[voter] += count * (positives[pattern] if label == "positive" else 1 - positives[pattern])
                votes[voter] += count
        accuracies = {voter: correct[voter] / votes[voter] for voter in voters}
        if pooled:
            shared = sum(correct[voter] for voter in pooled) / sum(votes[voter] for voter in pooled)
            accuracies |= dict.fromkeys(pooled, shared)
        step = max([abs(prior - model.prior), *(abs(accuracies[voter] - model.accuracies[voter]) for voter in voters)])
        model = LabelModel(prior, accuracies)
        if step < _TOLERANCE:
            break
    return model


def _overlaps_two_others(voter: str, patterns: Mapping[Pattern, int]) -> bool:
    own = {pattern: count for pattern, count in patterns.items() if voter in dict(pattern)}
    overlap = sum(count for pattern, count in own.items() if len(pattern) >= 3)
    return overlap >= _MIN_OVERLAP * sum(own.values())


def majority(pattern: Pattern) -> str | None:
    """Returns the label with most votes. It is None for a tie and without votes.

    >>> majority(frozenset([("a", "positive"), ("b", "positive"), ("c", "negative")]))
    'positive'
    """
    positive = sum(label == "positive" for _, label in pattern)
    if 2 * positive == len(pattern):
        return None
    return "positive" if 2 * positive > len(pattern) else "negative"
