"""Rows in chunks, and fits that show what chunks change."""

from itertools import pairwise

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from skdistill import DistilledClassifier


def cut(rows, n_parts=4):
    ends = np.linspace(0, rows.shape[0], n_parts + 1).astype(int)
    return [rows[a:b] for a, b in pairwise(ends.tolist())]


def distil(X, y, X_unlabeled, student, teacher=None, sample_weight=None, **params):
    params = {"augmenter": None, "calibrate": False, "random_state": 0, **params}
    teacher = teacher or RandomForestClassifier(20, min_samples_leaf=5)
    distilled = DistilledClassifier(teacher, student, **params)
    return distilled.fit(X, y, X_unlabeled=X_unlabeled, sample_weight=sample_weight)


def distil_both(X, y, student, *teacher, stop=3000, **params):
    """Learn rows from 600 to `stop` without their labels, as a table and in chunks."""
    given = X[600:stop], cut(X[600:stop])
    return [distil(X[:600], y[:600], U, student, *teacher, **params) for U in given]
