"""Soft targets for boosted students, and what the tests compare."""

import numpy as np
from _learners import SoftDataset, cross_entropy
from scipy.special import softmax

LABELS = np.array(["a", "b", "c", "d"])


def make_soft(n_classes, n_samples=400, weighted=False, seed=0, labels=LABELS):
    """Rows of noisy logits, and soft targets that depend on them."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 5))
    X[:, 4] = rng.randint(0, 6, n_samples)
    coef = rng.normal(size=(5, n_classes))
    logits = X @ coef + X[:, 4:] % 2 * coef[0] + rng.gumbel(size=(n_samples, n_classes))
    targets = softmax(logits, axis=1)
    classes = labels[:n_classes]
    weight = rng.uniform(0.5, 2, n_samples) if weighted else None
    return SoftDataset(X, targets, classes, classes[targets.argmax(axis=1)], weight)


def training_loss(student, data):
    return cross_entropy(data.targets, student.predict_proba(data.X), data.weight)
