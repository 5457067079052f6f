"""Calibrated labels: the scalar, the rows it is fitted on, and what it does for it."""

import warnings

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill._labels._calibration import (
    _BOUNDS,
    Calibration,
    fit_calibration,
    weighs_classes,
)
from skdistill._labels._soft_targets import (
    EPSILON,
    class_priors,
    clip_probabilities,
    soften,
)


@pytest.fixture(scope="module")
def data():
    """Three classes, of which 550 rows are for training."""
    return make_classification(
        2500,
        n_features=6,
        n_informative=4,
        n_redundant=0,
        n_classes=3,
        class_sep=1.5,
        n_clusters_per_class=1,
        random_state=0,
    )


class Says(ClassifierMixin, BaseEstimator):
    """A classifier whose rows are the probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


def draw(n_samples, n_classes, temperature, seed=0):
    """Probabilities, and labels drawn from what they are at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(n_samples, n_classes))
    truth = softmax(logits / temperature, axis=1)
    codes = np.array([rng.choice(n_classes, p=row) for row in truth])
    return softmax(logits, axis=1), codes


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_calibration_by_hand():
    proba = np.array([[0.2, 0.8], [0.5, 0.5]])
    squared = proba**2 / (proba**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Calibration(0.5).apply(proba), squared)
    shifted = squared * [3, 1]
    np.testing.assert_allclose(
        Calibration(0.5, np.log([3.0, 1.0])).apply(proba),
        shifted / shifted.sum(axis=1, keepdims=True),
    )


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_scalar_is_the_one_of_scikit_learn(n_classes, temperature):
    proba, codes = draw(3000, n_classes, temperature)
    found = fit_calibration(proba, codes)
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Says().fit(proba, codes)), method="temperature"
    ).fit(proba, codes)
    np.testing.assert_allclose(
        found.apply(proba), theirs.predict_proba(proba), atol=1e-4
    )
    assert found.shift is None
    # Of what it was drawn with, as near as 3,000 rows tell.
    assert found.temperature == pytest.approx(temperature, rel=0.15)


def test_the_scalar_is_the_best_of_a_grid():
    proba, codes = draw(300, 3, 0.6, seed=1)
    grid = np.linspace(0.3, 1.5, 1201)
    rows = np.arange(300)
    losses = [
        -log_softmax(np.log(proba) / scalar, axis=1)[rows, codes].mean()
        for scalar in grid
    ]
    best = grid[np.argmin(losses)]
    assert fit_calibration(proba, codes).temperature == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize(("right", "bound"), [(True, 0), (False, 1)])
def test_the_scalar_keeps_to_its_bounds(right, bound):
    proba = np.array([[0.6, 0.4]] * 50)
    codes = np.full(50, 0 if right else 1)
    found = fit_calibration(proba, codes).temperature
    assert found == pytest.approx(_BOUNDS[bound], rel=1e-3)


@pytest.mark.parametrize("shifted", [False, True])
def test_weights_are_repeated_rows(shifted):
    proba, codes = draw(200, 3, 0.7)
    weight = np.random.default_rng(0).integers(0, 4, 200)
    weighted = fit_calibration(proba, codes, weight.astype(float), shifted=shifted)
    repeated = fit_calibration(
        np.repeat(proba, weight, axis=0), np.repeat(codes, weight), shifted=shifted
    )
    np.testing.assert_allclose(weighted.apply(proba), repeated.apply(proba), atol=1e-4)


def test_the_shift_is_multinomial_regression_on_the_logarithms():
    """At the optimum the mean probability of a class is its share."""
    proba, codes = draw(600, 3, 0.7)
    skewed = proba * [1, 5, 0.5]
    skewed /= skewed.sum(axis=1, keepdims=True)
    found = fit_calibration(skewed, codes, shifted=True)
    np.testing.assert_allclose(
        found.apply(skewed).mean(axis=0), np.bincount(codes) / 600, atol=1e-3
    )
    plain = fit_calibration(proba, codes, shifted=True)
    np.testing.assert_allclose(found.apply(skewed), plain.apply(proba), atol=0.02)


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (RandomForestClassifier(), False),
        (RandomForestClassifier(class_weight="balanced"), True),
        (LogisticRegression(class_weight={0: 1, 1: 5}), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), False),
        (
            VotingClassifier(
                [
                    ("a", GaussianNB()),
                    ("b", LogisticRegression(class_weight="balanced")),
                ]
            ),
            True,
        ),
        (LGBMClassifier(is_unbalance=True), True),
        (LGBMClassifier(is_unbalance=False), False),
        (LGBMClassifier(scale_pos_weight=1), False),
        (LGBMClassifier(scale_pos_weight=1.0), False),
        (LGBMClassifier(scale_pos_weight=20), True),
        (LGBMClassifier(class_weights=np.array([1.0, 3.0])), True),
    ],
)
def test_who_weighs_classes(teacher, expected):
    assert weighs_classes(teacher) is expected


class Noting(DecisionTreeClassifier):
    """A teacher that notes what each of its fits saw."""

    fits = []

    def fit(self, X, y, sample_weight=None):
        Noting.fits.append(X[:, -1].astype(int))
        return super().fit(X, y, sample_weight=sample_weight)


def number_rows(X):
    """A last column that says which row it is."""
    return np.column_stack([X, np.arange(len(X))])


def expected_scalar(proba, y, weight=None):
    """Of the clipped probabilities of rows, with priors of all labels."""
    proba = softmax(np.log(proba), axis=1)
    grid = np.exp(np.linspace(np.log(0.25), np.log(4), 4001))
    rows = np.arange(len(y))
    losses = [
        -np.average(log_softmax(np.log(proba) / t, axis=1)[rows, y], weights=weight)
        for t in grid
    ]
    return grid[np.argmin(losses)]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_hold_out_teacher_did_not_see_the_rows(data, weighted):
    X, y = number_rows(data[0][:550]), data[1][:550]
    weight = np.random.default_rng(0).uniform(0.2, 3, 550) if weighted else None
    teacher = Noting(max_depth=5, random_state=0)
    Noting.fits.clear()
    distilled = DistilledClassifier(
        teacher, LogisticRegression(), augmenter=None, random_state=0
    ).fit(X, y, sample_weight=weight)
    partial, full = Noting.fits
    held_out = np.setdiff1d(np.arange(550), partial)
    assert len(held_out) == 110
    np.testing.assert_array_equal(full, np.arange(550))
    # Put together again from what the teacher was fitted on.
    again = DecisionTreeClassifier(
        max_depth=5, random_state=distilled.teacher_.random_state
    ).fit(X[partial], y[partial], None if weight is None else weight[partial])
    prior = class_priors(y, 3, weight)
    proba = clip_probabilities(again.predict_proba(X[held_out]), prior)
    scalar = expected_scalar(
        proba, y[held_out], None if weight is None else weight[held_out]
    )
    assert distilled.calibration_ == pytest.approx(scalar, rel=2e-3)


def test_out_of_fold_labels_calibrate(data):
    X, y = data[0][:550], data[1][:550]
    teacher = RandomForestClassifier(10, random_state=0)
    distilled = DistilledClassifier(
        teacher, LogisticRegression(), augmenter=None, cv=KFold(3)
    ).fit(X, y)
    proba = cross_val_predict(teacher, X, y, cv=KFold(3), method="predict_proba")
    clipped = clip_probabilities(proba, np.bincount(y) / 550)
    assert distilled.calibration_ == pytest.approx(
        expected_scalar(clipped, y), rel=2e-3
    )


class Copying(ClassifierMixin, BaseEstimator):
    """A student without a limit: it gives back the targets of the rows it saw."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.n_rows_ = len(np.unique(X[:, -1]))
        self.table_ = np.zeros((self.n_rows_, len(self.classes_)))
        codes = np.searchsorted(self.classes_, y)
        self.table_[X[:, -1].astype(int), codes] = sample_weight
        return self

    def predict_proba(self, X):
        table = self.table_ / self.table_.sum(axis=1, keepdims=True)
        return table[X[:, -1].astype(int)]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_calibration_keeps_what_is_predicted(data):
    X, y = number_rows(data[0][:550]), data[1][:550]
    served = {}
    for calibrate in (False, True):
        distilled = DistilledClassifier(
            RandomForestClassifier(20, max_depth=4, random_state=0),
            Copying(),
            augmenter=None,
            calibrate=calibrate,
            random_state=0,
        ).fit(X, y)
        served[calibrate] = distilled.predict_proba(X)
    proba = clip_probabilities(
        distilled.teacher_.predict_proba(X), np.bincount(y) / 550
    )
    # Without, it is the teacher that is served, clipped; with, its logarithms are
    # divided by the scalar.
    np.testing.assert_allclose(served[False], proba, atol=1e-12)
    scaled = softmax(np.log(proba) / distilled.calibration_, axis=1)
    np.testing.assert_allclose(served[True], scaled, atol=1e-12)
    assert distilled.calibration_ < 0.95
    order = np.argsort(served[False], axis=1)
    np.testing.assert_array_equal(order, np.argsort(served[True], axis=1))


def test_an_uncalibrated_fit_has_no_scalar(data):
    X, y = number_rows(data[0][:550]), data[1][:550]
    Noting.fits.clear()
    distilled = DistilledClassifier(
        Noting(random_state=0), LogisticRegression(), augmenter=None, calibrate=False
    ).fit(X, y)
    assert distilled.calibration_ is None
    assert len(Noting.fits) == 1


def test_few_rows_are_not_calibrated_unless_asked(data):
    X, y = data[0][:200], data[1][:200]
    distilled = DistilledClassifier(
        RandomForestClassifier(10, random_state=0),
        LogisticRegression(),
        random_state=0,
    ).fit(X, y)
    assert distilled.calibration_ is None
    assert distilled.memorization_ is None
    distilled.set_params(calibrate=True).fit(X, y)
    assert distilled.calibration_ < 1
    # Calibration was asked for, no pilot was.
    assert distilled.pilots_ == []
    assert distilled.augmenter_ is None


def test_rare_classes_keep_their_share_under_class_weights():
    X, y = make_classification(
        4000, n_features=5, weights=[0.9], flip_y=0.05, class_sep=0.7, random_state=0
    )
    X, X_test, y, y_test = X[:800], X[800:], y[:800], y[800:]
    distilled = DistilledClassifier(
        RandomForestClassifier(
            30, max_depth=4, class_weight="balanced", random_state=0
        ),
        MLPClassifier((8,), max_iter=40, learning_rate_init=0.02),
        augmenter=None,
        random_state=0,
    ).fit(X, y)
    share = y_test.mean()
    taught = distilled.teacher_.predict_proba(X_test)[:, 1].mean()
    served = distilled.predict_proba(X_test)[:, 1].mean()
    assert taught > 2 * share
    assert served == pytest.approx(share, abs=0.03)
    shifted = clone(distilled).set_params(calibrate=False).fit(X, y)
    assert shifted.predict_proba(X_test)[:, 1].mean() == pytest.approx(taught, abs=0.05)


def test_a_forests_student_gains_by_calibration(data):
    X, y = data
    distilled = DistilledClassifier(
        RandomForestClassifier(30, max_features=1, random_state=0),
        MLPClassifier((16,), max_iter=40, learning_rate_init=0.01),
        augmenter="munge",
        n_synthetic=2000,
        random_state=0,
    ).fit(X[:550], y[:550])
    losses = {}
    for calibrate in (False, True):
        model = clone(distilled).set_params(calibrate=calibrate).fit(X[:550], y[:550])
        losses[calibrate] = log_loss(y[550:], model.predict_proba(X[550:]))
    assert distilled.calibration_ < 0.9
    assert losses[True] < losses[False] - 0.01


@pytest.mark.parametrize("kind", ["frozen", "stored"])
def test_what_cannot_be_refitted_is_not_calibrated(data, kind):
    X, y = data[0][:520], data[1][:520]
    teacher = FrozenEstimator(GaussianNB().fit(X, y))
    fit = {}
    if kind == "stored":
        fit["teacher_proba"], teacher = teacher.predict_proba(X), None
    distilled = DistilledClassifier(
        teacher, LogisticRegression(), augmenter=None, random_state=0
    )
    assert distilled.fit(X, y, **fit).calibration_ is None
    distilled.set_params(calibrate=True)
    with pytest.raises(ValueError, match="calibrate=True needs a teacher") as raised:
        distilled.fit(X, y, **fit)
    assert "CalibratedClassifierCV" in str(raised.value)


def test_synthetic_rows_are_calibrated_beside_true_labels(data):
    """With alpha=0 the teacher's labels of other rows still count."""
    X, y = data[0][:550], data[1][:550]
    common = {"augmenter": "munge", "n_synthetic": 50, "alpha": 0.0}
    distilled = DistilledClassifier(
        RandomForestClassifier(10, random_state=0),
        LogisticRegression(),
        random_state=0,
        **common,
    ).fit(X, y)
    assert distilled.calibration_ is not None
    distilled.set_params(augmenter=None).fit(X, y)
    assert distilled.calibration_ is None


def test_the_clip_comes_before_the_scalar():
    """A teacher that is sure of everything has no logarithms to divide."""
    rng = np.random.default_rng(0)
    X = number_rows(rng.normal(size=(600, 2)))
    y = (X[:, 0] + 0.8 * rng.normal(size=600) > 0).astype(int)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(random_state=0),
        Copying(),
        augmenter=None,
        random_state=0,
    ).fit(X, y)
    assert distilled.calibration_ > 2
    sure = np.eye(2)[y] * (1 - EPSILON) + EPSILON * np.bincount(y) / 600
    np.testing.assert_allclose(
        distilled.predict_proba(X),
        softmax(np.log(sure) / distilled.calibration_, axis=1),
    )


def test_a_student_of_few_rounds_is_calibrated_too():
    X, y = make_classification(1600, 12, n_informative=8, random_state=3)
    rows, others = np.arange(1000), np.arange(1000, 1600)
    distilled = DistilledClassifier(
        RandomForestClassifier(50, random_state=0),
        # Steps that are held small: leaves are not found again.
        LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1, max_delta_step=100.0),
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled.fit(X[rows], y[rows])
        plain = clone(distilled).set_params(calibrate=False).fit(X[rows], y[rows])
    # Fifteen small steps are underconfident, whatever the labels are.
    assert distilled.student_calibration_ < 0.9
    assert plain.student_calibration_ == 1
    served, unscaled = (m.predict_proba(X[others]) for m in (distilled, plain))
    assert log_loss(y[others], served) < log_loss(y[others], unscaled)
    if distilled.alpha_ == plain.alpha_ == 0:
        expected = soften(unscaled, distilled.student_calibration_)
        np.testing.assert_allclose(served, expected, atol=1e-9)
