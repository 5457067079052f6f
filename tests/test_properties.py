"""What must hold for any data, temperature and alpha."""

import numpy as np
from _core import PLAIN, Table, add_numbers, clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier

# Fits inside: the clock of a shared machine is no property of the code.
slow = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
temperatures = st.floats(0.3, 10)
alphas = st.floats(0, 1)


@st.composite
def probabilities(draw):
    shape = draw(st.integers(2, 12)), draw(st.integers(2, 5))
    raw = draw(arrays(float, shape, elements=st.floats(0, 1)))
    raw = raw + 1e-9
    return raw / raw.sum(axis=1, keepdims=True)


class TableTeacher(ClassifierMixin, BaseEstimator):
    """Has the probabilities of every row by its number in column 0."""

    def __init__(self, proba, classes):
        self.proba = proba
        self.classes = classes

    def fit(self, X, y):
        raise AssertionError("A frozen teacher is never refitted.")

    @property
    def classes_(self):
        return np.asarray(self.classes)

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return self.proba[np.asarray(X)[:, 0].astype(int)]


def indicator_rows(n_samples):
    """Row k is told apart by its own column: a linear student is unconstrained."""
    return np.column_stack([np.arange(n_samples), np.eye(n_samples)])


@slow
@given(
    counts=st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(
        lambda shape: arrays(int, shape, elements=st.integers(1, 9))
    ),
    temperature=temperatures,
    alpha=alphas,
)
def test_an_unconstrained_student_serves_true_probabilities(counts, temperature, alpha):
    """Whatever alpha and temperature, where labels are drawn from the teacher's p."""
    n_patterns, n_classes = counts.shape
    proba = counts / counts.sum(axis=1, keepdims=True)
    pattern = np.repeat(np.arange(n_patterns), counts.sum(axis=1))
    y = np.concatenate([np.repeat(np.arange(n_classes), row) for row in counts])
    X = indicator_rows(n_patterns)
    teacher = FrozenEstimator(TableTeacher(proba, np.arange(n_classes)))
    student = LogisticRegression(C=np.inf, tol=1e-10, max_iter=100_000)
    fitted = DistilledClassifier(
        teacher, student, temperature=temperature, alpha=alpha, **PLAIN
    ).fit(X[pattern], y)
    # Clipping moves a probability by up to 1e-3.
    np.testing.assert_allclose(fitted.predict_proba(X), proba, atol=3e-3)


@slow
@given(proba=probabilities(), alpha=alphas)
def test_a_student_without_a_limit_serves_the_blend(proba, alpha):
    n_classes = proba.shape[1]
    codes = np.arange(max(proba.shape)) % n_classes
    proba = np.resize(proba, (len(codes), n_classes))
    X = add_numbers(np.arange(len(codes)))
    teacher = FrozenEstimator(TableTeacher(proba, np.arange(n_classes)))
    fitted = DistilledClassifier(teacher, Table(), alpha=alpha, **PLAIN).fit(X, codes)
    blend = alpha * clip(proba, codes) + (1 - alpha) * np.eye(n_classes)[codes]
    np.testing.assert_allclose(fitted.predict_proba(X), blend, atol=1e-12)


@slow
@given(
    seed=st.integers(0, 1000),
    temperature=st.floats(0.5, 5),
    alpha=alphas,
    n_classes=st.integers(2, 4),
)
def test_order_of_a_frozen_teachers_classes_is_nothing(
    seed, temperature, alpha, n_classes
):
    rng = np.random.RandomState(seed)
    labels = np.array(["b", "a", "d", "c"])[np.arange(30) % n_classes]
    classes, codes = np.unique(labels, return_inverse=True)
    # Half of the truth: an order of columns that the labels speak against is refused.
    proba = rng.dirichlet(np.ones(n_classes), size=30) / 2
    proba += np.eye(n_classes)[codes] / 2
    X = np.column_stack([np.arange(30), rng.normal(size=(30, 3))])
    order = rng.permutation(n_classes)
    settings_ = {"temperature": temperature, "alpha": alpha, **PLAIN}
    plain, permuted = (
        DistilledClassifier(
            FrozenEstimator(TableTeacher(table, names)),
            LogisticRegression(),
            **settings_,
        ).fit(X, labels)
        for table, names in ((proba, classes), (proba[:, order], classes[order]))
    )
    np.testing.assert_array_equal(plain.student_.coef_, permuted.student_.coef_)
    np.testing.assert_array_equal(plain.predict(X), permuted.predict(X))


@slow
@given(seed=st.integers(0, 1000), temperature=st.floats(0.5, 5), alpha=alphas)
def test_integer_weights_are_repeated_rows(seed, temperature, alpha):
    X, y = make_classification(60, n_features=4, random_state=seed)
    weight = np.random.RandomState(seed).randint(1, 4, size=60)
    logistic = LogisticRegression(tol=1e-10, max_iter=10_000)
    est = DistilledClassifier(
        logistic, logistic, temperature=temperature, alpha=alpha, **PLAIN
    )
    weighted = est.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = est.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted, repeated.predict_proba(X), atol=1e-4)
