"""Labels of many classes take little memory."""

import tracemalloc

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

N_ROWS, N_CLASSES = 20_000, 120
#: Bytes of one table of labels in float32.
TABLE = 4 * N_ROWS * N_CLASSES
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, 4)).astype(np.float32)
Y = np.arange(N_ROWS) % N_CLASSES


class Shared(ClassifierMixin, BaseEstimator):
    """A teacher whose labels take no memory: all rows share one."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        proba = np.arange(1, len(self.classes_) + 1, dtype=np.float32)
        self.proba_ = proba / proba.sum()
        return self

    def predict_proba(self, X):
        return np.broadcast_to(self.proba_, (len(X), len(self.proba_)))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def measure_peak(teacher, student, fit_params=None, **params):
    est = DistilledClassifier(
        teacher, student, augmenter=None, calibrate=False, random_state=0, **params
    )
    tracemalloc.start()
    try:
        est.fit(X, Y, **(fit_params or {}))
        return tracemalloc.get_traced_memory()[1] / TABLE
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("student", "most", "with_pilot"),
    [
        (LogisticRegression(max_iter=1), 2.35, 2.0),
        (LogisticRegression(max_iter=1, class_weight="balanced"), 2.35, 2.75),
        (MLPClassifier((2,), max_iter=1, batch_size=1000), 2.4, 2.45),
    ],
    ids=["logistic", "weighted", "network"],
)
@pytest.mark.slow
def test_two_tables_of_labels_and_blocks_of_rows_are_held(student, most, with_pilot):
    """The blocks have a fixed size: .2 of a table here, less of a larger one."""
    teacher = Shared().fit(X, Y)
    stored = np.tile(teacher.proba_, (N_ROWS, 1))
    assert measure_peak(FrozenEstimator(teacher), student) < most
    assert measure_peak(teacher, student) < most
    # The given table is not copied.
    given = {"teacher_proba": stored}
    assert measure_peak(None, student, given, pilot=0) < 2.3
    # What teacher and pilot say of the held-out fifth is .6; a network's pilot of the
    # true labels holds its rows twice, the second time in the order that it learns.
    assert measure_peak(None, student, given) < with_pilot


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_out_of_fold_labels_of_a_fit_are_not_held_twice():
    assert measure_peak(Shared(), LogisticRegression(max_iter=1), cv=2) < 2.8
