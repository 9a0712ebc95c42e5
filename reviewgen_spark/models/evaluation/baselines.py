"""Fits the baselines of every published figure. A model that is not better than them is not worth using."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Scorer = Callable[[Sequence[str]], npt.NDArray[np.float64]]
"""Maps texts to (N,) probabilities of positive."""

Classifier = Callable[[Sequence[str]], npt.NDArray[np.int64]]
"""Maps texts to (N,) labels."""


def fit_majority(labels: npt.NDArray[np.int64]) -> Scorer:
    """Returns a scorer that gives every text the share of positives in train. It predicts the more frequent label."""
    share = float(labels.mean())
    return lambda texts: np.full(len(texts), share)


def fit_tfidf_logistic(texts: Sequence[str], labels: npt.NDArray[np.int64], seed: int) -> Scorer:
    """Fits a logistic regression on TF-IDF of n-grams of 1 to 3 characters.

    Characters are used because they need no word segmentation and fit Chinese and English. N-grams that occur once
    are dropped, which costs no F1 and halves the memory.
    Source: Wang and Manning, Baselines and Bigrams (2012): linear models on n-grams are hard to beat on sentiment.
    """
    from sklearn.linear_model import LogisticRegression

    vectorizer, classifier = _vectorizer(), LogisticRegression(C=4.0, solver="liblinear", random_state=seed)
    classifier.fit(vectorizer.fit_transform(texts), labels)
    return lambda unseen: np.asarray(classifier.predict_proba(vectorizer.transform(unseen))[:, 1], dtype=np.float64)


def fit_majority_class(labels: npt.NDArray[np.int64]) -> Classifier:
    """Returns a classifier that predicts the most frequent label of train for every text."""
    most = int(np.bincount(labels).argmax())
    return lambda texts: np.full(len(texts), most, dtype=np.int64)


def fit_tfidf_classes(texts: Sequence[str], labels: npt.NDArray[np.int64], seed: int) -> Classifier:
    """Fits the model of `fit_tfidf_logistic` for any number of labels, as one softmax."""
    from sklearn.linear_model import LogisticRegression

    vectorizer, classifier = _vectorizer(), LogisticRegression(C=4.0, max_iter=1000, random_state=seed)
    classifier.fit(vectorizer.fit_transform(texts), labels)
    return lambda unseen: np.asarray(classifier.predict(vectorizer.transform(unseen)), dtype=np.int64)


def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, dtype=np.float32)
