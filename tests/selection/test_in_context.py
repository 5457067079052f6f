"""Teachers that repeat the labels of their training rows, as in-context models do."""

import numpy as np
import pytest
from scipy.stats import sem
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class InContext(ClassifierMixin, BaseEstimator):
    """Smooth on new rows; nearly certain of the label of a row in its context."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.context_ = {row.tobytes(): label for row, label in zip(X, y, strict=True)}
        forest = ExtraTreesClassifier(30, min_samples_leaf=5, random_state=0)
        self.model_ = forest.fit(X, y)
        return self

    def predict_proba(self, X):
        proba = self.model_.predict_proba(X)
        for k, row in enumerate(np.ascontiguousarray(X)):
            label = self.context_.get(row.tobytes())
            if label is not None:
                proba[k] = np.where(self.classes_ == label, 0.995, 0.005)
        return proba


STUDENTS = {
    "network": make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_iter=60, random_state=0)
    ),
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
}
#: Log loss that a choice on few held-out rows may cost, beside a standard error.
TOLERANCE = 0.002


def draw(n_rows, seed):
    """Rows of which every fifth has a random label."""
    return make_classification(
        n_rows + 600,
        8,
        n_informative=6,
        n_clusters_per_class=3,
        flip_y=0.2,
        random_state=seed,
    )


@pytest.mark.parametrize("kind", ["live", "frozen"])
@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize(
    "n_rows",
    [
        300,
        pytest.param(1000, marks=pytest.mark.slow),
        pytest.param(4000, marks=pytest.mark.slow),
    ],
)
def test_the_student_is_no_worse_than_on_hard_labels(n_rows, student, kind):
    differences = []
    for seed in (0, 1, 2):
        X, y = draw(n_rows, seed)
        n_train = n_rows if kind == "live" else int(0.8 * n_rows)
        learned, test = slice(0, n_train), slice(n_rows, None)
        teacher, fit = InContext(), {}
        if kind == "frozen":
            teacher = FrozenEstimator(teacher.fit(X[learned], y[learned]))
            fit = {"X_val": X[n_train:n_rows], "y_val": y[n_train:n_rows]}
        distilled = DistilledClassifier(
            teacher, STUDENTS[student], n_synthetic=4 * n_rows, random_state=0
        ).fit(X[learned], y[learned], **fit)
        found = distilled.memorization_
        assert found["accuracy_in_sample"] == 1
        assert found["accuracy_out_of_fold"] < 0.9
        hard = clone(STUDENTS[student]).fit(X[learned], y[learned])
        served, direct = (
            log_loss(y[test], model.predict_proba(X[test]))
            for model in (distilled, hard)
        )
        differences.append(served - direct)
    assert np.mean(differences) <= TOLERANCE + sem(differences)


def test_out_of_fold_labels_are_not_the_true_ones():
    """With `cv` no row is learned with the label that the context holds."""
    X, y = draw(300, 0)
    X, y = X[:300], y[:300]
    tree = DecisionTreeClassifier(random_state=0)
    params = {"augmenter": None, "calibrate": False, "alpha": 1.0}
    in_sample = DistilledClassifier(InContext(), tree, **params).fit(X, y)
    assert in_sample.predict_proba(X).max(axis=1).min() > 0.99
    out_of_fold = DistilledClassifier(InContext(), tree, cv=5, **params).fit(X, y)
    assert out_of_fold.predict_proba(X).max(axis=1).mean() < 0.9
