"""Soft and hard targets for students of trees."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

from skdistill._soft_data import SoftDataset

CASES = [(2, True), (4, False)]


def make_soft(n_samples=150, n_classes=3, seed=0, weighted=False):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 6))
    logits = 2 * X @ rng.normal(size=(6, n_classes)) + rng.normal(
        size=(n_samples, n_classes)
    )
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array(["a", "b", "c", "d", "e"])[:n_classes]
    weight = rng.uniform(0.5, 2, n_samples) if weighted else None
    return SoftDataset(X, targets, classes, classes[targets.argmax(axis=1)], weight)


def make_hard(soft):
    n_classes = len(soft.classes)
    codes = soft.targets.argmax(axis=1)
    return SoftDataset(
        soft.X, np.eye(n_classes)[codes], soft.classes, soft.y, soft.weight
    )


def fit_copies(student, data):
    """Scikit-learn's own fit on one weighted copy a row and class."""
    n_classes = len(data.classes)
    weight = np.ones(data.n_samples) if data.weight is None else data.weight
    return clone(student).fit(
        np.repeat(data.X, n_classes, axis=0),
        np.tile(data.classes, data.n_samples),
        sample_weight=(data.targets * weight[:, None]).ravel(),
    )


# Histogram boosting

BOOSTING = HistGradientBoostingClassifier(
    max_iter=8, min_samples_leaf=8, random_state=0, early_stopping=False
)
