"""Histogram boosting learns soft targets by its own loss."""

import pickle

import numpy as np
import pandas as pd
import pytest
from _learners import (
    cross_entropy,
    fine_tune,
    fit_copies,
    fit_student,
    hold_out,
    move_private,
    validation_fraction,
)
from _trees import BOOSTING, CASES, make_soft
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier


@pytest.fixture(params=[True, False], ids=["native", "public"])
def native(request, monkeypatch):
    """Soft targets in the stock booster, and weighted copies."""
    if not request.param:
        move_private(monkeypatch, HistGradientBoostingClassifier)
    return request.param


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
def test_boosting_on_hard_labels_is_the_stock_fit(n_classes, weighted):
    hard = make_soft(n_classes=n_classes, weighted=weighted).harden()
    fitted = fit_student(clone(BOOSTING), hard)
    stock = clone(BOOSTING).fit(hard.X, hard.y, sample_weight=hard.weight)
    np.testing.assert_array_equal(
        fitted.decision_function(hard.X), stock.decision_function(hard.X)
    )
    assert vars(fitted).keys() == vars(stock).keys()
    assert type(fitted._loss) is type(stock._loss)
    assert type(pickle.loads(pickle.dumps(fitted))) is HistGradientBoostingClassifier


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize(
    "params", [{}, {"l2_regularization": 3.0}, {"max_leaf_nodes": 4}, {"max_bins": 20}]
)
def test_boosting_learns_what_the_copies_learn(params, weighted, n_classes, native):
    # No multiple of max_bins: borders between two rows would be left to rounding.
    data = make_soft(n_samples=251, n_classes=n_classes, weighted=weighted)
    student = clone(BOOSTING).set_params(**params)
    copies = fit_copies(student.set_params(min_samples_leaf=8 * n_classes), data)
    student.set_params(min_samples_leaf=8)
    fitted = fit_student(clone(student), data)
    np.testing.assert_allclose(
        fitted.decision_function(data.X), copies.decision_function(data.X), atol=1e-4
    )
    assert fitted.get_params() == student.get_params()
    smallest = min(
        predictor.nodes["count"].min()
        for predictors in fitted._predictors
        for predictor in predictors
    )
    assert smallest >= 8 * (1 if native else n_classes)


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
def test_boosting_stops_by_the_soft_loss(n_classes, weighted, native):
    data = make_soft(n_samples=300, n_classes=n_classes, weighted=weighted)
    student = clone(BOOSTING).set_params(
        early_stopping=True, max_iter=300, learning_rate=0.3, n_iter_no_change=4
    )
    inside, outside = hold_out(data)
    fitted = fit_student(student, inside, validation=outside)
    assert fitted.n_iter_ < 300
    assert fitted.early_stopping is True
    for scores, part in (
        (fitted.validation_score_, outside),
        (fitted.train_score_, inside),
    ):
        proba = fitted.predict_proba(part.X)
        served = -cross_entropy(part.targets, proba, part.weight)
        assert scores[-1] == pytest.approx(served, abs=1e-7)
    best = fitted.validation_score_.argmax()
    assert fitted.n_iter_ - best >= 4


def test_boosting_by_another_score(native):
    data = make_soft(n_samples=300)
    student = clone(BOOSTING).set_params(
        early_stopping=True, scoring="accuracy", max_iter=100, n_iter_no_change=2
    )
    train, validation = hold_out(data)
    fitted = fit_student(student, train, validation=validation)
    assert fitted.n_iter_ < 100
    assert 0 < fitted.validation_score_[-1] < 1
    assert fitted.min_samples_leaf == 8


def test_boosting_that_follows_its_training_loss(native):
    """validation_fraction=None holds no rows back."""
    data = make_soft()
    student = clone(BOOSTING).set_params(
        early_stopping=True, validation_fraction=None, tol=0.5, n_iter_no_change=2
    )
    assert validation_fraction(student, 150) is None
    fitted = fit_student(student.set_params(max_iter=50), data)
    assert fitted.n_iter_ < 50
    served = -cross_entropy(data.targets, fitted.predict_proba(data.X))
    assert fitted.train_score_[-1] == pytest.approx(served, abs=1e-7)


@pytest.mark.parametrize(("given", "share"), [(0.2, 0.2), (30, 0.2), (1, 1 / 150)])
def test_rows_held_out_are_a_share_or_a_number(given, share):
    student = clone(BOOSTING).set_params(early_stopping=True, validation_fraction=given)
    assert validation_fraction(student, 150) == pytest.approx(share)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_boosting_keeps_categories_and_frames(n_classes):
    data = make_soft(n_samples=240, n_classes=n_classes)
    frame = pd.DataFrame(data.X, columns=list("uvwxyz"))
    frame["town"] = pd.Categorical(
        np.array(["Ulm", "Rom", "Bonn"])[data.targets.argmax(axis=1)]
    )
    data = data.with_rows(frame)
    fitted = fit_student(clone(BOOSTING), data)
    np.testing.assert_array_equal(fitted.is_categorical_, [False] * 6 + [True])
    assert list(fitted.feature_names_in_) == list(frame.columns)
    plain = fit_student(clone(BOOSTING), data.with_rows(frame[list("uvwxyz")]))
    assert cross_entropy(data.targets, fitted.predict_proba(frame)) < cross_entropy(
        data.targets, plain.predict_proba(frame[list("uvwxyz")])
    )


def test_boosting_keeps_monotonic_constraints():
    data = make_soft(n_samples=240, n_classes=2)
    student = clone(BOOSTING).set_params(monotonic_cst=[1, 0, 0, 0, 0, 0])
    fitted = fit_student(student, data)
    rows = np.zeros((40, 6))
    rows[:, 0] = np.linspace(-2, 2, 40)
    assert (np.diff(fitted.predict_proba(rows)[:, 1]) >= 0).all()


def test_boosting_errors_name_the_student():
    with pytest.raises(ValueError, match="of HistGradientBoostingClassifier must"):
        fit_student(HistGradientBoostingClassifier(max_iter=0), make_soft())


def test_boosting_is_not_fine_tuned_where_private_names_moved(monkeypatch):
    move_private(monkeypatch, HistGradientBoostingClassifier)
    with pytest.raises(TypeError, match=r"Set fine_tune=0, or use MLPClassifier"):
        fine_tune(BOOSTING, make_soft(), 1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_further_rounds_on_the_same_rows_are_a_warm_start(n_classes):
    hard = make_soft(n_samples=240, n_classes=n_classes).harden()
    fitted = fit_student(clone(BOOSTING), hard)
    before = fitted.decision_function(hard.X)
    tuned = fine_tune(fitted, hard, 5)
    stock = clone(BOOSTING).set_params(warm_start=True).fit(hard.X, hard.y)
    stock.set_params(max_iter=13, learning_rate=0.1 * 0.1).fit(hard.X, hard.y)
    np.testing.assert_array_equal(
        tuned.decision_function(hard.X), stock.decision_function(hard.X)
    )
    assert tuned.n_iter_ == 13
    assert tuned.get_params() == fitted.get_params() == BOOSTING.get_params()
    assert fitted.n_iter_ == 8
    np.testing.assert_array_equal(fitted.decision_function(hard.X), before)
    assert type(tuned) is HistGradientBoostingClassifier


@pytest.mark.parametrize("n_classes", [2, 3])
def test_further_rounds_on_other_rows_start_from_what_is_served(n_classes):
    """A warm start on other rows would read them by bins of their own."""
    data = make_soft(n_samples=400, n_classes=n_classes)
    frame = pd.DataFrame(data.X, columns=list("uvwxyz"))
    towns = np.array(["Bonn", "Rom", "Ulm"])[data.targets.argmax(axis=1)]
    frame["town"] = pd.Categorical(towns)
    data = data.with_rows(frame)
    fitted = fit_student(clone(BOOSTING).set_params(max_iter=30), data)
    some = data.take(np.flatnonzero(towns != "Bonn")[:100]).harden()
    tuned = fine_tune(fitted, some, 20)
    losses = [
        cross_entropy(some.targets, stage)
        for stage in tuned.staged_predict_proba(some.X)
    ]
    assert losses[29] == pytest.approx(
        cross_entropy(some.targets, fitted.predict_proba(some.X)), abs=1e-12
    )
    assert (np.diff(losses[29:]) < 0).all()
    assert len(losses) == 50
