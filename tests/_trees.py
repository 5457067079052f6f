"""Soft and hard targets for students of trees."""

import numpy as np
from _learners import SoftDataset
from sklearn.ensemble import HistGradientBoostingClassifier

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


# Histogram boosting

BOOSTING = HistGradientBoostingClassifier(
    max_iter=8, min_samples_leaf=8, random_state=0, early_stopping=False
)
