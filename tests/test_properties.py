"""What must hold for any data, temperature and alpha."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier
from skdistill._labels._soft_targets import (
    EPSILON,
    blend_targets,
    class_priors,
    clip_probabilities,
    cross_entropy,
    one_hot,
    serve,
    soft_targets,
    soften,
)

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
    """Knows the probabilities of every row by its number in column 0."""

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
@given(proba=probabilities(), temperature=temperatures, alpha=st.floats(0.1, 0.95))
def test_unconstrained_student_recovers_the_blend(proba, temperature, alpha):
    """Whatever the temperature, what is served is b."""
    n_samples, n_classes = proba.shape
    # The softened targets must be within reach of a float's logits.
    proba = 0.9 * proba + 0.1 / n_classes
    codes = np.arange(max(n_samples, n_classes)) % n_classes
    proba = np.resize(proba, (len(codes), n_classes))
    X = indicator_rows(len(codes))
    teacher = FrozenEstimator(TableTeacher(proba, np.arange(n_classes)))
    student = LogisticRegression(C=np.inf, tol=1e-10, max_iter=100_000)
    fitted = DistilledClassifier(
        teacher, student, temperature=temperature, alpha=alpha
    ).fit(X, codes)
    prior = class_priors(codes, n_classes, None)
    clipped = (1 - EPSILON) * proba + EPSILON * prior
    blend = alpha * clipped + (1 - alpha) * np.eye(n_classes)[codes]
    np.testing.assert_allclose(fitted.predict_proba(X), blend, atol=2e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_unconstrained_mlp_recovers_the_blend(temperature, n_classes):
    rng = np.random.RandomState(0)
    proba = rng.dirichlet(np.ones(n_classes) * 3, size=8)
    codes = np.arange(8) % n_classes
    X = indicator_rows(8)
    teacher = FrozenEstimator(TableTeacher(proba, np.arange(n_classes)))
    student = MLPClassifier(
        (16,), "tanh", solver="lbfgs", alpha=0, tol=1e-9, max_iter=20_000
    )
    fitted = DistilledClassifier(
        teacher, student, temperature=temperature, random_state=0
    ).fit(X, codes)
    clipped = clip_probabilities(proba, np.bincount(codes) / 8)
    np.testing.assert_allclose(fitted.predict_proba(X), clipped, atol=1e-3)


@slow
@given(proba=probabilities(), temperature=temperatures)
def test_softening_is_undone_by_serving(proba, temperature):
    proba = 0.999 * proba + 0.001 / proba.shape[1]
    softened = soften(proba, temperature)
    np.testing.assert_allclose(softened.sum(axis=1), 1)
    np.testing.assert_allclose(serve(softened, temperature), proba, atol=1e-7)
    # The order of the classes never changes.
    np.testing.assert_array_equal(
        np.take_along_axis(softened, proba.argsort(axis=1), axis=1),
        np.sort(softened, axis=1),
    )


@slow
@given(proba=probabilities(), temperature=temperatures, alpha=alphas)
def test_targets_are_probabilities(proba, temperature, alpha):
    n_samples, n_classes = proba.shape
    codes = np.arange(n_samples) % n_classes
    prior = np.full(n_classes, 1 / n_classes)
    targets = soft_targets(
        proba, codes, prior=prior, alpha=alpha, temperature=temperature
    )
    np.testing.assert_allclose(targets.sum(axis=1), 1)
    assert (targets >= 0).all()


def test_targets_by_hand():
    """p = (.8, .2), y = 0, alpha = .5, T = 2: b = (.9, .1), q = (3, 1) / 4."""
    clipped = clip_probabilities(np.array([[0.8, 0.2]]), np.array([0.5, 0.5]), 0.0)
    blend = blend_targets(clipped, one_hot(np.array([0]), 2), 0.5)
    np.testing.assert_allclose(blend, [[0.9, 0.1]])
    np.testing.assert_allclose(soften(blend, 2.0), [[0.75, 0.25]])
    assert cross_entropy(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])) == (
        pytest.approx(-0.5 * (np.log(0.25) + np.log(0.75)))
    )
    np.testing.assert_allclose(
        class_priors(np.array([0, 1, 1]), 2, np.array([2.0, 1.0, 1.0])), [0.5, 0.5]
    )


def test_clipping_as_documented():
    top = [
        soften(clip_probabilities(np.eye(3)[:1], np.full(3, 1 / 3), eps), 3.0)[0, 0]
        for eps in (1e-3, 1e-5, 1e-7)
    ]
    np.testing.assert_allclose(top, [0.88, 0.97, 0.994], atol=2e-3)


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
    proba = rng.dirichlet(np.ones(n_classes), size=30)
    labels = np.array(["b", "a", "d", "c"])[np.arange(30) % n_classes]
    classes = np.unique(labels)
    X = np.column_stack([np.arange(30), rng.normal(size=(30, 3))])
    order = rng.permutation(n_classes)
    settings_ = {"temperature": temperature, "alpha": alpha}
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
    est = DistilledClassifier(logistic, logistic, temperature=temperature, alpha=alpha)
    weighted = est.fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = est.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted, repeated.predict_proba(X), atol=1e-4)


@slow
@given(seed=st.integers(0, 1000), n_classes=st.integers(2, 3))
def test_rows_sum_to_one_and_labels_agree(seed, n_classes):
    X, y = make_classification(
        80, n_informative=5, n_classes=n_classes, random_state=seed
    )
    est = DistilledClassifier(
        RandomForestClassifier(5), LogisticRegression(), random_state=seed
    ).fit(X, y)
    proba = est.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(est.classes_[proba.argmax(axis=1)], est.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "student", [MLPClassifier((4,), max_iter=3), RandomForestClassifier(3)]
)
def test_seed_decides_every_byte(student):
    X, y = make_classification(80, random_state=0)
    est = DistilledClassifier(RandomForestClassifier(5), student)
    first, second, other = (
        pickle.dumps(est.set_params(random_state=seed).fit(X, y).student_)
        for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


def test_a_changed_teacher_changes_the_student():
    X, y = make_classification(80, random_state=0)
    stored = LogisticRegression(C=0.01).fit(X, y).predict_proba(X)
    est = DistilledClassifier(None, LogisticRegression())
    before = est.fit(X, y, teacher_proba=stored).student_.coef_
    after = est.fit(X, y, teacher_proba=soften(stored, 0.5)).student_.coef_
    assert np.abs(after).sum() > 1.2 * np.abs(before).sum()
