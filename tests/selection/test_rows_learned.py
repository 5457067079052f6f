"""How many rows are made, and which rows end a network's fit or grow trees."""

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The teacher:UserWarning",
)


class AskedError(Exception):
    """Ends a fit as soon as rows are asked for."""


class Asked(BaseEstimator):
    def fit(self, X):
        return self

    def sample(self, n_samples, random_state=None):
        assert isinstance(n_samples, int)
        raise AskedError(n_samples)


NETWORK = MLPClassifier((2,), max_iter=2)


@pytest.mark.parametrize(
    ("student", "n_classes", "n_samples", "expected"),
    [
        # 20 a row, as many as 300 labels a row allow; 4 where more cost much.
        (NETWORK, 2, 2000, 40_000),
        (NETWORK, 15, 2000, 40_000),
        (NETWORK, 26, 3000, 33_000),
        (NETWORK, 100, 3000, 12_000),
        (make_pipeline(StandardScaler(), NETWORK), 15, 2000, 40_000),
        (DecisionTreeClassifier(), 2, 3000, 60_000),
        (RandomForestClassifier(), 2, 3000, 12_000),
        (LogisticRegression(), 7, 3000, 12_000),
        (LGBMClassifier(), 7, 3000, 12_000),
        # A network that has no epochs.
        (MLPClassifier((2,), solver="lbfgs"), 7, 3000, 12_000),
        # Few rows: 20 a row, 10,000 at most.
        (LogisticRegression(), 2, 300, 6000),
        (LogisticRegression(), 2, 1500, 10_000),
        (NETWORK, 50, 600, 10_000),
        # Never more than half a million.
        (LogisticRegression(), 2, 130_000, 500_000),
    ],
)
def test_how_many_rows_are_made(student, n_classes, n_samples, expected):
    X, y = np.zeros((n_samples, 2)), np.arange(n_samples) % n_classes
    distilled = DistilledClassifier(
        GaussianNB(), student, augmenter=Asked(), calibrate=False
    )
    with pytest.raises(AskedError) as raised:
        distilled.fit(X, y)
    assert raised.value.args == (expected,)


@pytest.fixture(scope="module")
def data():
    return make_classification(520, 4, class_sep=0.8, random_state=0)


@pytest.mark.parametrize(
    ("params", "n_rows"),
    [
        # The teacher is a stump, so that true labels are chosen, by its own fit.
        ({}, 520),
        # Nobody chooses: the student does as it was told.
        ({"augmenter": None, "alpha": 0.0}, 520),
        ({"augmenter": None, "alpha": 1.0}, 520),
        ({"augmenter": "munge", "alpha": 0.0}, 620),
        ({"augmenter": "munge", "alpha": 1.0}, 620),
    ],
)
def test_rows_that_a_network_learns(data, params, n_rows):
    X, y = data
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=1, max_features=1, random_state=1),
        MLPClassifier((8,), max_iter=60, learning_rate_init=0.02),
        n_synthetic=100,
        calibrate=False,
        random_state=0,
        **params,
    ).fit(X, y)
    network = distilled.student_
    assert network.t_ == network.n_iter_ * n_rows
    if not params:
        assert distilled.alpha_ == 0
        assert network.early_stopping is False


def list_splits(booster):
    frame = booster.booster_.trees_to_dataframe()
    return frame[["split_feature", "threshold"]].dropna().to_numpy().tolist()


def test_rows_that_are_held_out_have_all_classes_where_they_can():
    """A fifth of five rows of each of a hundred classes is one of each."""
    fits = []

    class Counting(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            fits.append(np.bincount(y))
            return super().fit(X, y)

    y = np.tile(np.arange(100), 5)
    X = np.column_stack([y, np.random.default_rng(0).normal(size=500)])
    student = DecisionTreeClassifier(max_depth=2)
    distilled = DistilledClassifier(Counting(), student, augmenter=None, random_state=0)
    distilled.fit(X, y)
    first, last = fits
    assert first.tolist() == 100 * [4]
    assert last.tolist() == 100 * [5]


def test_trees_grow_on_real_rows_alone(data):
    """Synthetic rows set the leaves; unlabelled rows grow trees as well."""
    X, y = data
    teacher = FrozenEstimator(GaussianNB().fit(X, y))
    student = LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, random_state=0)

    def fit(augmenter, X_unlabeled=None):
        distilled = DistilledClassifier(
            teacher,
            student,
            augmenter=augmenter,
            n_synthetic=2000,
            random_state=0,
        )
        return distilled.fit(X, y, X_unlabeled=X_unlabeled).student_

    plain, augmented = fit(None), fit("munge")
    assert list_splits(augmented) == list_splits(plain)
    assert not np.allclose(augmented.predict_proba(X), plain.predict_proba(X))
    more = Munge().fit(X).sample(500, random_state=0)
    assert list_splits(fit(None, more)) != list_splits(plain)
    assert list_splits(fit("munge", more)) != list_splits(plain)
