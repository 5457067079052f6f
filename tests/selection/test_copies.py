"""Copies of rows are on one side of every hold-out; equal rows by chance are not."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.inspection import distillation_report

RNG = np.random.RandomState(0)
X, Y = make_classification(700, 6, n_informative=4, flip_y=0.2, random_state=0)
#: Weights that number the rows, and change nothing.
NUMBERS = 1 + np.arange(4000) * 1e-6
#: As many rows of one class, each eight times, as of the other.
OVERSAMPLED = np.r_[np.repeat(np.flatnonzero(Y == 1)[:40], 8), np.flatnonzero(Y == 0)]


class Spy(ClassifierMixin, BaseEstimator):
    """Notes the numbers of the rows that it is fitted on."""

    fits: list = []

    def fit(self, X, y, sample_weight=None):
        Spy.fits.append(np.round((sample_weight - 1) * 1e6).astype(int))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / len(y)
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def list_folds(X, y, student=None, **params):
    """Return the rows of each fit of the teacher, but for that of all rows."""
    Spy.fits.clear()
    student = student or DummyClassifier(strategy="prior")
    DistilledClassifier(Spy(), student, random_state=0, **params).fit(
        X, y, sample_weight=NUMBERS[: len(y)]
    )
    return [rows for rows in Spy.fits if len(rows) < len(y)]


def repeat(n_distinct, n_copies, seed=0):
    """Return positions, each so many times, in no order."""
    rows = np.repeat(np.arange(n_distinct), n_copies)
    return np.random.RandomState(seed).permutation(rows)


def mix_kinds(rows):
    """Numbers, missing ones among them, text and dates."""
    frame = pd.DataFrame(X[rows], columns=list("abcdef"))
    frame.loc[frame["a"] > 1, "a"] = np.nan
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(rows, unit="D")
    return frame.assign(text=[None if k % 7 == 0 else str(k) for k in rows], day=dates)


@pytest.mark.parametrize(
    ("rows", "make", "params"),
    [
        (repeat(150, 8), X.take, {}),
        (repeat(700, 3), X.take, {}),
        (repeat(150, 8), X.take, {"cv": 4}),
        (repeat(150, 8), lambda rows, axis: X[rows].tolist(), {}),
        (repeat(150, 8), lambda rows, axis: X[rows].astype(object), {}),
        (repeat(150, 8), lambda rows, axis: mix_kinds(rows), {}),
        (repeat(150, 8), lambda rows, axis: pl.DataFrame(mix_kinds(rows)), {}),
        (OVERSAMPLED, X.take, {}),
    ],
)
def test_each_fold_has_all_copies_of_a_row_or_none(rows, make, params):
    y = Y[rows]
    folds = list_folds(make(rows, axis=0), y, **params)
    assert folds
    n_copies = np.bincount(rows)
    for fold in folds:
        n_learned = np.bincount(rows[fold], minlength=len(n_copies))
        assert set(np.unique(n_learned[n_learned > 0] / n_copies[n_learned > 0])) == {1}
        assert 0.7 < len(fold) / len(y) < 0.85
        assert y[fold].mean() == pytest.approx(y.mean(), abs=0.03)


def draw_like_titanic(n):
    """Class, sex, age in years and fare by class."""
    kind = RNG.randint(1, 4, n)
    fare = np.round(60 / kind + RNG.randint(-3, 3, n), 2)
    return np.c_[kind, RNG.randint(2, size=n), RNG.randint(1, 60, n), fare]


@pytest.mark.parametrize(
    "coarse",
    [
        draw_like_titanic(400),
        RNG.poisson(2, size=(400, 4)),
        np.round(RNG.normal(size=(400, 2)), 1),
        np.eye(30)[RNG.randint(30, size=400)],
        # One category, and a second name of it.
        np.c_[RNG.randint(40, size=400), np.zeros(400)] @ [[1, 2], [0, 0]],
        pd.DataFrame(RNG.choice(list("abc"), (400, 3)), columns=list("xyz")),
        np.repeat(RNG.poisson(2, size=(100, 4)), 4, axis=0),
    ],
)
def test_rows_that_are_equal_by_chance_are_held_out_as_others_are(coarse):
    y = Y[:400]
    expected = list_folds(X[:400], y)
    assert len(expected) == 5
    found = list_folds(coarse, y)
    np.testing.assert_equal(found, expected)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X_val must|cv must")
        DistilledClassifier(
            DummyClassifier(), DummyClassifier(strategy="prior"), augmenter=None
        ).fit(coarse, y, X_val=coarse, y_val=y)


def test_few_copies_change_nothing():
    rows = np.r_[np.arange(391), np.arange(9)]
    found = list_folds(X[rows], Y[:400])
    np.testing.assert_equal(found, list_folds(X[:400], Y[:400]))


@pytest.mark.parametrize(
    "student",
    [
        LGBMClassifier(n_estimators=30, num_leaves=8, verbose=-1, n_jobs=1),
        pytest.param(MLPClassifier(random_state=0), marks=pytest.mark.slow),
    ],
)
def test_copies_cost_a_student_little(student):
    """Without copies it has .65, and had 1.44 (a network: .61, and 3.84) with them."""
    X, y = make_classification(2150, 10, n_informative=6, flip_y=0.3, random_state=6)
    rows = np.repeat(np.arange(150), 8)
    losses = [
        log_loss(
            y[150:],
            DistilledClassifier(
                RandomForestClassifier(60, random_state=0), student, random_state=0
            )
            .fit(X[learned], y[learned])
            .predict_proba(X[150:]),
        )
        for learned in (np.arange(150), rows)
    ]
    assert losses[1] < losses[0] + 0.1


def test_validation_rows_that_are_training_rows_are_named():
    parts = DummyClassifier(), DummyClassifier(strategy="prior")
    distilled = DistilledClassifier(*parts, augmenter=None)
    with pytest.warns(UserWarning, match="200 of its 200 rows are equal to rows of X"):
        distilled.fit(X[:400], Y[:400], X_val=X[100:300], y_val=Y[100:300])
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(text="a")
    with pytest.warns(UserWarning, match="100 of its 200 rows are equal to rows of X"):
        distilled.fit(frame[:400], Y[:400], X_val=frame[300:500], y_val=Y[300:500])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X_val must|cv must")
        distilled.fit(X[:400], Y[:400], X_val=X[390:590], y_val=Y[390:590])


def test_a_splitter_that_parts_copies_is_named():
    rows = np.repeat(np.arange(150), 4)
    with pytest.warns(UserWarning, match=r"rows of a test fold equal training rows"):
        list_folds(X[rows], Y[rows], cv=StratifiedKFold(4, shuffle=True))
    folds = list(GroupKFold(4).split(X[rows], Y[rows], rows))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X_val must|cv must")
        found = list_folds(X[rows], Y[rows], cv=folds)
    np.testing.assert_equal(found, [train for train, _ in folds])


class SpyQuantiles(RegressorMixin, BaseEstimator):
    """Notes the rows that it is fitted on."""

    fits: list = []

    def fit(self, X, y):
        SpyQuantiles.fits.append(X)
        self.quantiles_ = np.quantile(y, (0.1, 0.9))
        return self

    def predict(self, X):
        return np.tile(self.quantiles_, (len(X), 1))


def test_rows_that_shift_quantiles_are_no_copies_of_those_learned():
    rows = repeat(100, 5)
    DistilledRegressor(
        SpyQuantiles(),
        LinearRegression(),
        quantiles=(0.1, 0.9),
        augmenter=None,
        random_state=0,
    ).fit(X[rows], X[rows, 0])
    (learned,) = SpyQuantiles.fits
    assert len(learned) == 400
    assert len(np.unique(learned, axis=0)) == 80


@pytest.mark.slow
def test_copies_do_not_mislead_the_length_of_a_baseline():
    """Without copies its log loss is .55, and was .67 with four of each row."""
    X, y = make_classification(1400, 8, n_informative=5, flip_y=0.3, random_state=0)
    losses = []
    for n_copies in (1, 4):
        rows = np.repeat(np.arange(400), n_copies)
        network = MLPClassifier((16,), random_state=0)
        distilled = DistilledClassifier(
            RandomForestClassifier(40, random_state=0), network, random_state=0
        ).fit(X[rows], y[rows])
        report = distillation_report(
            *(distilled, X[400:], y[400:]),
            baseline="fit",
            train=(X[rows], y[rows]),
            random_state=0,
        )
        losses.append(report.models["baseline"]["log_loss"])
    assert losses[1] < losses[0] + 0.05
