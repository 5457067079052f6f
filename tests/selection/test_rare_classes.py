"""What a small student loses of a rare class is seen by its pilot, and put back."""

import warnings

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill._labels._calibration import fit_shift
from skdistill._students._properties import can_shift_logits, shift_logits
from skdistill.export import prune


@pytest.fixture(scope="module")
def rare():
    X, y = make_classification(
        24_000,
        20,
        n_informative=8,
        n_redundant=4,
        n_clusters_per_class=4,
        weights=[0.97],
        flip_y=0,
        class_sep=0.8,
        random_state=0,
    )
    positives, negatives = np.flatnonzero(y), np.flatnonzero(y == 0)
    train = np.concatenate([negatives[:2000], positives[:20]])
    test = np.concatenate([negatives[2000:8000], positives[20:80]])
    return X[train], y[train], X[test], y[test]


@pytest.fixture(scope="module")
def distilled(rare):
    student = MLPClassifier((32,), max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make(student).fit(*rare[:2])


class Sigmoid(ClassifierMixin, BaseEstimator):
    """The probabilities from which the labels of a test are drawn."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        positive = expit(3 * X[:, 0] - 9)
        return np.c_[1 - positive, positive]


def make(student, **params):
    params = {"alpha": 1.0, "augmenter": "munge", "random_state": 0, **params}
    teacher = ExtraTreesClassifier(40, random_state=0)
    return DistilledClassifier(
        teacher, make_pipeline(StandardScaler(), student), **params
    )


@pytest.mark.slow
def test_a_rare_class_keeps_its_rate(rare, distilled):
    X, y = rare[2:]
    served = distilled.predict_proba(X)
    # Without the shift the class has less than three quarters of its rate.
    plain = softmax(np.log(served) - distilled.student_shift_, axis=1)
    assert plain[:, 1].mean() < 0.75 * y.mean()
    assert 0.8 < served[:, 1].mean() / y.mean() < 1.25
    assert [pilot["chosen"] for pilot in distilled.pilots_] == [True, False]


@pytest.mark.parametrize(
    ("params", "share"),
    [
        ({"pilot": 0}, 0.015),
        ({"calibrate": False}, 0.015),
        ({"augmenter": None}, 0.015),
        ({}, 0.1),
    ],
)
def test_other_fits_run_no_pilot_for_it(params, share):
    X, y = make_classification(1000, 5, weights=[1 - share], flip_y=0, random_state=0)
    est = make(LogisticRegression(), **params).fit(X, y)
    assert est.student_shift_ is None
    assert not any(pilot["chosen"] for pilot in est.pilots_)


def test_weights_of_validation_rows_are_copies_of_them():
    """They decide what the student lost; only the calibration's prior counts rows."""
    X, y = make_classification(3000, 5, weights=[0.985], flip_y=0, random_state=0)
    train, held = slice(1000), slice(1000, None)
    est = make(LogisticRegression(C=1e-3))
    proba = clone(est.teacher).fit(X[train], y[train]).predict_proba(X[held])
    weight = np.where(proba[:, 1] > 0.1, 4, 1)
    given = [
        {"X_val": X[held], "y_val": y[held], "sample_weight_val": weight},
        {"X_val": X[held].repeat(weight, axis=0), "y_val": y[held].repeat(weight)},
    ]
    shifts = [est.fit(X[train], y[train], **v).student_shift_ for v in given]
    np.testing.assert_allclose(*shifts, rtol=0.003)


def test_students_without_a_shift_run_no_pilot(rare):
    est = make(DecisionTreeClassifier(max_depth=3)).fit(*rare[:2])
    assert est.student_shift_ is None
    assert not any(pilot["chosen"] for pilot in est.pilots_)


LEARNED = {
    "training rows": {},
    "true labels as well": {"alpha": 0.6},
    "unlabelled rows": {"X_unlabeled": 1},
    "blocks of unlabelled rows": {"X_unlabeled": 3},
}


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_network_keeps_the_rate_whatever_its_temperature(name):
    """Softened labels have other means, which alone its intercepts would keep."""
    X = np.random.default_rng(0).normal(size=(3000, 4))
    positive = expit(3 * X[:, 0] - 9)
    y = np.random.default_rng(1).random(3000) < positive
    alpha, n_blocks = LEARNED[name].get("alpha", 1), LEARNED[name].get("X_unlabeled")
    given = {}
    if n_blocks:
        blocks = np.split(X, n_blocks)
        given["X_unlabeled"] = blocks if n_blocks > 1 else X
    teacher = FrozenEstimator(Sigmoid().fit(X, y))
    student = make_pipeline(
        StandardScaler(), MLPClassifier((4,), max_iter=5, random_state=0)
    )
    distilled = DistilledClassifier(
        teacher, student, alpha=alpha, augmenter=None, pilot=0, random_state=0
    )
    served = distilled.fit(X, y, **given).predict_proba(X)[:, 1]
    assert distilled.temperature_ == 3
    # Clipping mixes a thousandth of the prior in.
    wanted = alpha * (0.999 * positive + 0.001 * y.mean()) + (1 - alpha) * y
    assert y.mean() < 0.01
    assert served.mean() == pytest.approx(wanted.mean(), rel=0.1)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "student",
    [
        MLPClassifier((4,), max_iter=5),
        LogisticRegression(),
        LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1),
    ],
    ids=lambda student: type(student).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_numbers_are_added_to_the_logits(student, n_classes):
    X, y = make_classification(
        300, 8, n_informative=5, n_classes=n_classes, random_state=0
    )
    student.fit(X, y)
    shift = np.linspace(-1, 2, n_classes)
    expected = softmax(np.log(student.predict_proba(X)) + shift, axis=1)
    assert can_shift_logits(student)
    shift_logits(student, shift)
    np.testing.assert_allclose(student.predict_proba(X), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "student",
    [
        LogisticRegression(fit_intercept=False),
        LGBMClassifier(boosting_type="rf"),
        LGBMClassifier(linear_tree=True),
    ],
    ids=["no intercept", "forest", "linear trees"],
)
def test_where_no_number_can_be_added(student):
    assert not can_shift_logits(student)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_shift_gives_the_wanted_mean(weighted):
    rng = np.random.default_rng(0)
    positive = rng.beta(0.1, 3, 500).clip(1e-6, 1 - 1e-6)
    weight = rng.uniform(0.5, 2, 500) if weighted else None
    found = fit_shift(np.c_[1 - positive, positive], np.array([0.9, 0.1]), weight)

    def lacks(number):
        return np.average(expit(logit(positive) + number), weights=weight) - 0.1

    assert found[1] - found[0] == pytest.approx(brentq(lacks, -9, 9), abs=1e-4)
    assert found.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
def test_pruning_keeps_the_shift(rare, distilled):
    X, y = rare[:2]
    pruned = prune(
        distilled, X, y, sparsity=0.01, epochs=0, tolerance=1, random_state=0
    )
    np.testing.assert_allclose(
        pruned.estimator.predict_proba(X), distilled.predict_proba(X), atol=0.01
    )


@pytest.mark.parametrize("cv", [3, KFold(3, shuffle=True, random_state=0)])
@pytest.mark.parametrize("n_rows", [1, 6])
def test_a_class_that_the_teacher_of_a_fold_does_not_know_is_named(cv, n_rows):
    """scikit-learn's warning of few rows names none."""
    X, y = make_classification(240, 4, flip_y=0, class_sep=2, random_state=0)
    labels = np.array(["common", "usual"])[y]
    labels[:n_rows] = "lonely"
    student = LogisticRegression()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(student, cv=cv, augmenter=None).fit(X, labels)
    said = [str(warning.message) for warning in caught]
    assert not any("least populated" in text for text in said)
    named = [text for text in said if "holds out all rows of the classes" in text]
    assert [("['lonely']" in text) for text in named] == [True] * (n_rows == 1)
