"""Reports on models with given probabilities."""

import copy
import functools

import numpy as np
from _core import PLAIN
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.inspection import distillation_report

NAMES = np.array(["high", "low", "mid"])
X, CODES = make_classification(
    500, 6, n_informative=5, n_redundant=0, n_classes=3, flip_y=0.1, random_state=0
)


Y = NAMES[CODES]
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = X[:200], X[200:], Y[:200], Y[200:]
TRAIN = X_TRAIN, Y_TRAIN


def distil(X=X_TRAIN, y=Y_TRAIN, **params):
    teacher = RandomForestClassifier(10, random_state=0)
    student = DecisionTreeClassifier(max_depth=3)
    given = {"teacher": teacher, "student": student, "random_state": 0, **PLAIN}
    return DistilledClassifier(**{**given, **params}).fit(X, y)


def report_on(estimator, X=X_TEST, y=Y_TEST, **params):
    return distillation_report(estimator, X, y, **{"n_bootstrap": 100, **params})


class FixedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with the given probability of each row."""

    def __init__(self, proba, classes=NAMES):
        self.proba, self.classes = proba, classes
        self.classes_ = classes

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return np.asarray(self.proba)[np.asarray(X)[:, 0].astype(int)]


@functools.cache
def distil_once():
    return distil()


def stage(student, teacher, y, *, baseline=None, **params):
    """The report on models with these probabilities, row by row."""
    model = copy.copy(distil_once())
    model.student_, model.teacher_ = FixedClassifier(student), FixedClassifier(teacher)
    rows = np.arange(len(y))[:, None]
    base = None if baseline is None else FixedClassifier(baseline)
    return distillation_report(model, rows, y, baseline=base, **params)


def compare(y, teacher, baseline, student, **params):
    """The same of three models, as `make_hits` returns them."""
    given = {"baseline": baseline, "random_state": 0, **params}
    return stage(student, teacher, y, **given)


def make_proba(labels, confidence=0.8):
    """Probabilities with which these labels are predicted."""
    proba = np.full((len(labels), 3), (1 - confidence) / 2)
    proba[np.arange(len(labels)), np.searchsorted(NAMES, labels)] = confidence
    return proba


def make_hits(n_teacher, n_baseline, n_student, n_rows=200):
    y = np.full(n_rows, "low")
    rng = np.random.default_rng(0)

    def hit(count):
        labels = np.full(n_rows, "mid")
        labels[rng.permutation(n_rows)[:count]] = "low"
        return make_proba(labels)

    return y, hit(n_teacher), hit(n_baseline), hit(n_student)


def report_on_groups(distilled):
    """With a baseline, and groups whose names are no HTML."""
    groups = np.where(X_TEST[:, 0] > 0, "a<b>", "c")
    return report_on(
        distilled, groups=groups, baseline="fit", train=TRAIN, random_state=0
    )
