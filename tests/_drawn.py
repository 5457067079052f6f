"""Rows, models and readers of what a display drew."""

import numpy as np
from _core import PLAIN
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

X, Y = make_classification(n_samples=240, n_features=6, flip_y=0.2, random_state=0)
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = X[:120], X[120:], Y[:120], Y[120:]


def make_distilled(**params):
    """A forest and a tree with these parameters, not fitted."""
    teacher = RandomForestClassifier(10, random_state=0)
    student = DecisionTreeClassifier(random_state=0, **params)
    return DistilledClassifier(teacher, student, random_state=0, **PLAIN)


def get_points(display):
    return np.vstack([points.get_offsets() for points in display.scatter_])


def sort_rows(points):
    return points[np.lexsort(points.T)]


MODELS = ["tree", "small", "large", "slow"]
SCORES, COSTS = [0.91, 0.95, 0.96, 0.93], [40, 70, 180, 400]
