"""Who labels: in-sample, out-of-fold, frozen and stored labels."""

import joblib
import numpy as np
import pytest
from sklearn import clone
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill._labels import _teacher
from skdistill._labels._soft_targets import EPSILON
from skdistill._nested import takes_sample_weight, weight_params


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(
        150, n_features=5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    return X, y


class Spy(ClassifierMixin, BaseEstimator):
    """A student that keeps what it was taught."""

    def fit(self, X, y, sample_weight=None):
        self.rows_ = X
        self.labels_ = y
        self.weight_ = sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def targets(self, n_samples):
        """The soft targets, put together again from the weighted copies."""
        table = np.zeros((n_samples, len(self.classes_)))
        number = self.rows_[:, -1].astype(int)
        columns = np.searchsorted(self.classes_, self.labels_)
        table[number, columns] = self.weight_
        return table


def numbered(X):
    return np.column_stack([X, np.arange(len(X))])


def taught(X, y, **params):
    est = DistilledClassifier(student=Spy(), **params)
    return est.fit(numbered(X), y)


def test_in_sample_labels_are_the_teachers(data):
    X, y = data
    est = taught(X, y, teacher=LogisticRegression(max_iter=1000))
    expected = LogisticRegression(max_iter=1000).fit(numbered(X), y)
    np.testing.assert_allclose(
        est.student_.targets(len(y)),
        expected.predict_proba(numbered(X)),
        atol=1.1 * EPSILON,
    )


@pytest.mark.parametrize("cv", [3, KFold(4), StratifiedKFold(2)])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_out_of_fold_labels_are_cross_val_predicts(data, cv, n_jobs):
    X, y = data
    teacher = LogisticRegression(max_iter=1000)
    est = taught(X, y, teacher=teacher, cv=cv, n_jobs=n_jobs)
    expected = cross_val_predict(teacher, numbered(X), y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(
        est.student_.targets(len(y)), expected, atol=1.1 * EPSILON
    )
    whole = teacher.fit(numbered(X), y)
    np.testing.assert_array_equal(est.teacher_.coef_, whole.coef_)


def test_repeated_folds_give_their_mean(data):
    X, y = data
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    est = taught(X, y, teacher=LogisticRegression(max_iter=1000), cv=cv)
    Xn, table = numbered(X), np.zeros((len(y), 3))
    for train, test in cv.split(Xn):
        model = LogisticRegression(max_iter=1000).fit(Xn[train], y[train])
        table[test] += model.predict_proba(Xn[test]) / 2
    np.testing.assert_allclose(est.student_.targets(len(y)), table, atol=1.1 * EPSILON)


def test_a_fold_that_lacks_a_class_is_aligned(data):
    X, y = data
    y = np.where(np.arange(len(y)) < 20, 1, np.where(y == 1, 0, y))
    # Without shuffling, the first fold's teacher never sees class 1.
    est = taught(X, y, teacher=LogisticRegression(max_iter=1000), cv=KFold(5))
    targets = est.student_.targets(len(y))
    np.testing.assert_allclose(targets.sum(axis=1), 1)
    # Its probability for that class is 0, clipped towards the prior of 20 in 150.
    clipped = EPSILON * 20 / 150
    np.testing.assert_allclose(targets[:30, 1], clipped)
    assert targets[30:, 1].max() > 1.01 * clipped


def test_rows_without_a_fold_are_refused(data):
    X, y = data
    cv = [(np.arange(50, 150), np.arange(50))]
    with pytest.raises(ValueError, match="100 of 150 rows are in none"):
        taught(X, y, teacher=LogisticRegression(max_iter=1000), cv=cv)


def test_frozen_teacher_is_not_refitted(data):
    X, y = data
    inner = LogisticRegression(max_iter=1000).fit(numbered(X), y)
    before = joblib.hash(inner)
    est = taught(X, y, teacher=FrozenEstimator(inner))
    assert joblib.hash(inner) == before
    assert est.teacher_.estimator is inner


def test_stored_probabilities_stand_in(data):
    X, y = data
    stored = LogisticRegression(max_iter=1000).fit(X, y).predict_proba(X)
    est = DistilledClassifier(student=Spy()).fit(numbered(X), y, teacher_proba=stored)
    assert est.teacher_ is None
    np.testing.assert_allclose(est.student_.targets(len(y)), stored, atol=1.1 * EPSILON)
    frozen = FrozenEstimator(LogisticRegression(max_iter=1000).fit(numbered(X), y))
    est = DistilledClassifier(frozen, Spy()).fit(numbered(X), y, teacher_proba=stored)
    assert est.teacher_ is not None
    np.testing.assert_allclose(est.student_.targets(len(y)), stored, atol=1.1 * EPSILON)


def test_cross_validation_slices_stored_probabilities(data):
    X, y = data
    stored = np.random.RandomState(0).dirichlet(np.ones(3), len(y)) * 0.5
    stored += 0.5 * np.eye(3)[y]
    found = cross_validate(
        DistilledClassifier(student=Spy()),
        numbered(X),
        y,
        cv=3,
        params={"teacher_proba": stored},
        return_estimator=True,
        return_indices=True,
    )
    for est, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        table = est.student_.targets(len(y))
        np.testing.assert_allclose(table[train], stored[train], atol=1.1 * EPSILON)


def test_stored_columns_in_another_order_are_noticed(data):
    _, y = data
    good = 0.7 * np.eye(3)[y] + 0.1
    assert _teacher.check_stored(good, y, np.arange(3)) is not None
    # A teacher that is merely bad is no other order.
    flat = np.full((150, 3), 1 / 3)
    assert _teacher.check_stored(flat, y, np.arange(3)) is not None
    with pytest.raises(ValueError, match=r"look ordered as \[2, 0, 1\]"):
        _teacher.check_stored(good[:, [2, 0, 1]], y, np.arange(3))


def test_weights_reach_teacher_and_student(data):
    X, y = data
    weight = np.random.RandomState(0).uniform(0.5, 2, len(y))
    logistic = LogisticRegression(max_iter=1000)
    vote = VotingClassifier([("a", logistic)], voting="soft")
    for teacher in (logistic, Pipeline([("only", logistic)]), vote):
        est = DistilledClassifier(teacher, Spy())
        est.fit(numbered(X), y, sample_weight=weight)
        sums = est.student_.targets(len(y)).sum(axis=1)
        np.testing.assert_allclose(sums, weight)
        alone = clone(logistic).fit(numbered(X), y, sample_weight=weight)
        np.testing.assert_allclose(
            est.teacher_.predict_proba(numbered(X)), alone.predict_proba(numbered(X))
        )
    folds = taught(X, y, teacher=logistic, cv=KFold(3))
    weighted = DistilledClassifier(logistic, Spy(), cv=KFold(3))
    weighted.fit(numbered(X), y, sample_weight=np.full(len(y), 1.0))
    np.testing.assert_allclose(
        folds.student_.targets(150), weighted.student_.targets(150), atol=1e-4
    )


def test_who_takes_weights():
    logistic = LogisticRegression()
    inner = make_pipeline(StandardScaler(), logistic)
    assert takes_sample_weight(inner)
    assert not takes_sample_weight(VotingClassifier([("p", inner)]))
    assert takes_sample_weight(VotingClassifier([("a", logistic), ("b", "drop")]))
    assert not takes_sample_weight(make_pipeline(KNeighborsClassifier()))
    assert weight_params(Pipeline([("outer", inner)]), 1) == {
        "outer__logisticregression__sample_weight": 1
    }
    assert weight_params(logistic, None) == {}


def test_seed_reaches_what_was_left_open_only(data):
    X, y = data
    vote = VotingClassifier(
        [
            ("open", RandomForestClassifier(3)),
            ("set", RandomForestClassifier(3, random_state=7)),
        ],
        voting="soft",
    )
    est = DistilledClassifier(vote, Spy(), random_state=0).fit(numbered(X), y)
    seeds = [m.random_state for m in est.teacher_.estimators_]
    assert isinstance(seeds[0], int)
    assert seeds[1] == 7
    student = LogisticRegression(max_iter=5000)
    again = DistilledClassifier(vote, student, random_state=0)
    again.fit(numbered(X), y)
    assert [m.random_state for m in again.teacher_.estimators_] == seeds


def test_groups_keep_together(data):
    X, y = data
    groups = np.arange(len(y)) // 10
    cv = list(GroupKFold(3).split(X, y, groups))
    est = taught(X, y, teacher=LogisticRegression(max_iter=1000), cv=cv)
    expected = cross_val_predict(
        LogisticRegression(max_iter=1000),
        numbered(X),
        y,
        cv=GroupKFold(3),
        groups=groups,
        method="predict_proba",
    )
    np.testing.assert_allclose(
        est.student_.targets(len(y)), expected, atol=1.1 * EPSILON
    )


def test_a_class_is_no_teacher():
    with pytest.raises(TypeError, match=r"RandomForestClassifier\. Pass an instance"):
        _teacher.check_teacher(RandomForestClassifier)
