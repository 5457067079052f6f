"""Searches and calibrators as students score and fold rows, not copies."""

import numpy as np
import pytest
from _core import PLAIN
from _learners import (
    SoftDataset,
    check_student,
    cross_entropy,
    fit_student,
    make_soft,
)
from _meta_students import STUDENTS, make_logistic
from sklearn import config_context
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
)
from sklearn.naive_bayes import GaussianNB

from skdistill import DistilledClassifier


def test_a_search_scores_by_the_soft_cross_entropy_of_held_out_rows():
    data = make_soft(weighted=True)
    search = clone(STUDENTS["grid"]).set_params(cv=4)
    fitted = fit_student(search, data)
    folds = StratifiedKFold(4).split(data.X, data.y)
    for number, (train, test) in enumerate(folds):
        for k, C in enumerate([0.01, 1]):
            alone = fit_student(make_logistic(C=C), data.take(train))
            held_out = data.take(test)
            proba = alone.predict_proba(held_out.X)
            expected = -cross_entropy(held_out.targets, proba, held_out.weight)
            score = fitted.cv_results_[f"split{number}_test_score"][k]
            assert score == pytest.approx(expected, abs=1e-8)
    refitted = fit_student(make_logistic(C=fitted.best_params_["C"]), data)
    np.testing.assert_array_equal(fitted.best_estimator_.coef_, refitted.coef_)


def test_a_search_without_scoring_counts_the_expected_hits():
    data = make_soft()
    fitted = fit_student(GridSearchCV(make_logistic(), {"C": [1]}, cv=KFold(2)), data)
    first, second = np.arange(60), np.arange(60, 120)
    alone = fit_student(make_logistic(), data.take(second))
    hits = np.searchsorted(data.classes, alone.predict(data.X[first]))
    expected = data.targets[first, hits].mean()
    assert fitted.cv_results_["split0_test_score"][0] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["grid", "calibrated", "path"])
def test_groups_reach_the_folds(name):
    data = make_soft()
    groups = np.arange(120) % 7
    grouped = SoftDataset(
        data.X, data.targets, data.classes, data.y, params={"groups": groups}
    )
    student = clone(STUDENTS[name]).set_params(cv=GroupKFold(3))
    fitted = fit_student(student, grouped)
    by_hand = list(GroupKFold(3).split(data.X, data.y, groups))
    expected = fit_student(clone(student).set_params(cv=by_hand), data)
    np.testing.assert_array_equal(
        fitted.predict_proba(data.X), expected.predict_proba(data.X)
    )
    if name == "grid":
        scores = [s.cv_results_["mean_test_score"] for s in (fitted, expected)]
        np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("name", ["calibrated", "calibrated-once", "path"])
def test_no_row_has_copies_on_both_sides_of_a_fold(name, monkeypatch):
    data = make_soft()
    seen = []
    kind = type(STUDENTS[name])
    fit = kind.fit

    def record(self, X, y, **params):
        seen.extend((X[train], X[test]) for train, test in self.cv)
        return fit(self, X, y, **params)

    monkeypatch.setattr(kind, "fit", record)
    fit_student(clone(STUDENTS[name]), data)
    assert len(seen) == 3
    for train, test in seen:
        sides = [{row.tobytes() for row in side} for side in (train, test)]
        assert not sides[0] & sides[1]
        assert len(sides[0] | sides[1]) == 120
        assert len(train) + len(test) == 360


def test_calibrated_students_are_fitted_on_rows():
    data = make_soft(weighted=True)
    fitted = fit_student(clone(STUDENTS["calibrated"]), data)
    folds = StratifiedKFold(3).split(data.X, data.y)
    for calibrated, (train, _) in zip(
        fitted.calibrated_classifiers_, folds, strict=True
    ):
        alone = fit_student(GaussianNB(), data.take(train))
        np.testing.assert_allclose(calibrated.estimator.theta_, alone.theta_)


def weighted_hits(estimator, X, y, sample_weight=None):
    return accuracy_score(y, estimator.predict(X), sample_weight=sample_weight)


def test_a_scoring_function_of_the_user_s():
    data = make_soft()
    search = GridSearchCV(make_logistic(), {"C": [0.1, 1]}, cv=2)
    ours = fit_student(clone(search).set_params(scoring=weighted_hits), data)
    named = fit_student(clone(search).set_params(scoring="accuracy"), data)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], named.cv_results_["mean_test_score"]
    )
    assert ours.scorer_ is weighted_hits


def test_groups_are_routed_to_the_folds_of_the_student():
    data = make_soft()
    groups = np.arange(120) % 7
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(GaussianNB(), {}, cv=GroupKFold(3))
        distilled = DistilledClassifier(GaussianNB(), search, random_state=0, **PLAIN)
        fitted = distilled.fit(data.X, data.y, groups=groups)
    assert fitted.student_.n_splits_ == 3


def test_a_search_of_the_user_s_is_another_student():
    class GridSearchCVOfMine(GridSearchCV):
        pass

    check_student(GridSearchCV(GaussianNB(), {}), 1.0, 2, 100)
    with pytest.raises(TypeError, match="must not draw folds of its own"):
        check_student(GridSearchCVOfMine(GaussianNB(), {}), 1.0, 2, 100)
