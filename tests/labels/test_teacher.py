"""Who labels: in-sample, out-of-fold, frozen and stored labels."""

import warnings

import joblib
import numpy as np
import pytest
from _core import EPSILON, PLAIN, Table, add_numbers, clip
from sklearn import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    RepeatedKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill._labels._probabilities import check_column_order


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(
        150, n_features=5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    return X, y


def taught(X, y, **params):
    est = DistilledClassifier(student=Table(), **{**PLAIN, **params})
    return est.fit(add_numbers(X), y)


def test_in_sample_labels_are_the_teachers(data):
    X, y = data
    est = taught(X, y, teacher=GaussianNB())
    expected = GaussianNB().fit(add_numbers(X), y)
    proba = expected.predict_proba(add_numbers(X))
    np.testing.assert_allclose(est.student_.mass_, clip(proba, y), atol=1e-12)


@pytest.mark.parametrize("cv", [3, KFold(4), StratifiedKFold(2)])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_out_of_fold_labels_are_cross_val_predicts(data, cv, n_jobs):
    X, y = data
    teacher = GaussianNB()
    with joblib.parallel_config(backend="threading"):
        est = taught(X, y, teacher=teacher, cv=cv, n_jobs=n_jobs)
    rows = add_numbers(X)
    expected = cross_val_predict(teacher, rows, y, cv=cv, method="predict_proba")
    np.testing.assert_allclose(est.student_.mass_, clip(expected, y), atol=1e-12)
    whole = teacher.fit(rows, y)
    np.testing.assert_array_equal(est.teacher_.theta_, whole.theta_)


def test_repeated_folds_give_their_mean(data):
    X, y = data
    cv = RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)
    est = taught(X, y, teacher=GaussianNB(), cv=cv)
    Xn, table = add_numbers(X), np.zeros((len(y), 3))
    for train, test in cv.split(Xn):
        model = GaussianNB().fit(Xn[train], y[train])
        table[test] += model.predict_proba(Xn[test]) / 2
    np.testing.assert_allclose(est.student_.mass_, clip(table, y), atol=1e-12)


def test_a_fold_that_lacks_a_class_is_aligned(data):
    X, y = data
    y = np.where(np.arange(len(y)) < 20, 1, np.where(y == 1, 0, y))
    # Without shuffling, the first fold's teacher never sees class 1.
    est = taught(X, y, teacher=GaussianNB(), cv=KFold(5))
    targets = est.student_.mass_
    np.testing.assert_allclose(targets.sum(axis=1), 1)
    # Its probability for that class is 0, clipped towards the prior of 20 in 150.
    clipped = EPSILON * 20 / 150
    np.testing.assert_allclose(targets[:30, 1], clipped)
    assert targets[30:, 1].max() > 1.01 * clipped


def test_frozen_teacher_is_not_refitted(data):
    X, y = data
    inner = GaussianNB().fit(add_numbers(X), y)
    before = joblib.hash(inner)
    est = taught(X, y, teacher=FrozenEstimator(inner))
    assert joblib.hash(inner) == before
    assert est.teacher_.estimator is inner


def test_stored_probabilities_stand_in(data):
    X, y = add_numbers(data[0]), data[1]
    stored = GaussianNB().fit(data[0], y).predict_proba(data[0])
    est = DistilledClassifier(student=Table(), **PLAIN).fit(X, y, teacher_proba=stored)
    assert est.teacher_ is None
    np.testing.assert_allclose(est.student_.mass_, clip(stored, y), atol=1e-12)
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    est = DistilledClassifier(frozen, Table(), **PLAIN).fit(X, y, teacher_proba=stored)
    assert est.teacher_ is not None
    np.testing.assert_allclose(est.student_.mass_, clip(stored, y), atol=1e-12)


def test_cross_validation_slices_stored_probabilities(data):
    X, y = data
    stored = np.random.RandomState(0).dirichlet(np.ones(3), len(y)) * 0.5
    stored += 0.5 * np.eye(3)[y]
    found = cross_validate(
        DistilledClassifier(student=Table(), **PLAIN),
        add_numbers(X),
        y,
        cv=3,
        params={"teacher_proba": stored},
        return_estimator=True,
        return_indices=True,
    )
    for est, train in zip(found["estimator"], found["indices"]["train"], strict=True):
        learned = est.student_.mass_[train]
        np.testing.assert_allclose(learned, clip(stored[train], y[train]), atol=1e-12)


def test_stored_columns_in_another_order_are_noticed(data):
    X, y = data
    distilled = DistilledClassifier(None, Table(), **PLAIN)

    def learn(stored):
        return distilled.fit(add_numbers(X), y, teacher_proba=stored).student_.mass_

    good = 0.7 * np.eye(3)[y] + 0.1
    np.testing.assert_allclose(learn(good), clip(good, y), atol=1e-12)
    # A teacher that is merely bad is no other order.
    flat = np.full((150, 3), 1 / 3)
    np.testing.assert_allclose(learn(flat), clip(flat, y), atol=1e-12)
    rng = np.random.RandomState(0)
    learn(rng.dirichlet(np.ones(3), 150))
    # A soft teacher, right in three rows of five.
    known = np.where(rng.rand(150) < 0.6, y, rng.randint(3, size=150))
    soft = 0.2 * np.eye(3)[known] + 0.8 / 3
    learn(soft)
    for stored in (good, soft):
        with pytest.raises(ValueError, match=r"look ordered as \[2, 0, 1\]"):
            learn(stored[:, [2, 0, 1]])


def test_two_rare_columns_in_each_others_place_are_noticed():
    y = np.repeat([0, 1, 2], [900, 80, 20])
    stored = 0.7 * np.eye(3)[y] + 0.3 * np.array([0.9, 0.08, 0.02])
    check_column_order(stored, y, np.arange(3), "it")
    with pytest.raises(ValueError, match=r"look ordered as \[0, 2, 1\]"):
        check_column_order(stored[:, [0, 2, 1]], y, np.arange(3), "it")


def test_weights_reach_teacher_and_student(data):
    X, y = add_numbers(data[0]), data[1]
    weight = np.random.RandomState(0).uniform(0.5, 2, len(y))
    bayes = GaussianNB()
    vote = VotingClassifier([("a", bayes)], voting="soft")
    expected = GaussianNB().fit(X, y, sample_weight=weight).predict_proba(X)
    for teacher in (bayes, Pipeline([("only", bayes)]), vote):
        est = DistilledClassifier(teacher, Table(), **PLAIN).fit(
            X, y, sample_weight=weight
        )
        np.testing.assert_allclose(est.teacher_.predict_proba(X), expected)
        targets = clip(expected, y, weight) * weight[:, None]
        np.testing.assert_allclose(est.student_.mass_, targets, atol=1e-12)
    cv = KFold(3)
    folds = DistilledClassifier(bayes, Table(), cv=cv, **PLAIN).fit(
        X, y, sample_weight=weight
    )
    expected = np.zeros((len(y), 3))
    for train, test in cv.split(X):
        fold = GaussianNB().fit(X[train], y[train], weight[train])
        expected[test] = fold.predict_proba(X[test])
    targets = clip(expected, y, weight) * weight[:, None]
    np.testing.assert_allclose(folds.student_.mass_, targets, atol=1e-12)


LOGISTIC = LogisticRegression(max_iter=1000)
INNER = make_pipeline(StandardScaler(), LOGISTIC)


@pytest.mark.parametrize(
    ("teacher", "alone"),
    [
        (INNER, INNER),
        (Pipeline([("outer", INNER)]), INNER),
        (
            VotingClassifier([("a", LOGISTIC), ("b", "drop")], voting="soft"),
            LOGISTIC,
        ),
        # A vote calls fit(X, y, sample_weight=...), which a Pipeline refuses.
        (VotingClassifier([("p", INNER)], voting="soft"), None),
        (make_pipeline(KNeighborsClassifier()), None),
        # Without them it would be calibrated by weights that it did not learn by.
        (CalibratedClassifierCV(INNER, cv=2), None),
        (StackingClassifier([("a", LOGISTIC)], INNER, cv=2), None),
    ],
    ids=[
        *("pipeline", "nested", "dropped", "pipeline in a vote", "neighbours"),
        *("calibrated pipeline", "pipeline on top"),
    ],
)
def test_weights_reach_the_last_step_of_a_teacher_or_are_refused(data, teacher, alone):
    X, y = data
    weight = np.random.RandomState(0).uniform(0.1, 5, len(y))
    distilled = DistilledClassifier(teacher, LogisticRegression(), **PLAIN)
    if alone is None:
        with pytest.raises(TypeError, match="must take sample_weight"):
            distilled.fit(X, y, sample_weight=weight)
        # Without weights there is nothing to lose.
        assert distilled.fit(X, y).score(X, y) > 0.5
        return
    given = "logisticregression__sample_weight" if alone is INNER else "sample_weight"
    expected = clone(alone).fit(X, y, **{given: weight}).predict_proba(X)
    found = distilled.fit(X, y, sample_weight=weight).teacher_.predict_proba(X)
    np.testing.assert_allclose(found, expected)
    assert np.abs(distilled.fit(X, y).teacher_.predict_proba(X) - expected).max() > 1e-3


def test_weights_pass_by_what_is_frozen(data):
    X, y = data
    weight = np.random.RandomState(0).uniform(0.1, 5, len(y))
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    teacher = VotingClassifier([("f", frozen), ("l", LOGISTIC)], voting="soft")
    est = DistilledClassifier(teacher, LogisticRegression(), **PLAIN)
    found = est.fit(X, y, sample_weight=weight).teacher_.predict_proba(X)
    learned = clone(LOGISTIC).fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found, (frozen.predict_proba(X) + learned) / 2)


def test_seed_reaches_what_was_left_open_only(data):
    X, y = data
    vote = VotingClassifier(
        [
            ("open", RandomForestClassifier(3)),
            ("set", RandomForestClassifier(3, random_state=7)),
        ],
        voting="soft",
    )
    est = DistilledClassifier(vote, Table(), random_state=0, **PLAIN).fit(
        add_numbers(X), y
    )
    seeds = [m.random_state for m in est.teacher_.estimators_]
    assert isinstance(seeds[0], int)
    assert seeds[1] == 7
    student = LogisticRegression(max_iter=5000)
    again = DistilledClassifier(vote, student, random_state=0, **PLAIN)
    again.fit(add_numbers(X), y)
    assert [m.random_state for m in again.teacher_.estimators_] == seeds


def test_a_class_is_no_teacher(data):
    with pytest.raises(TypeError, match=r"RandomForestClassifier\. Pass an instance"):
        DistilledClassifier(RandomForestClassifier, Table()).fit(*data)


class Numbered(LogisticRegression):
    """Notes the rows of each fit and each call; the last column numbers them."""

    calls = []

    def fit(self, X, y, sample_weight=None):
        self.note("fit", X)
        return super().fit(X[:, :-1], y, sample_weight)

    def predict_proba(self, X):
        self.note("label", X)
        return super().predict_proba(X[:, :-1])

    def note(self, what, X):
        Numbered.calls.append((what, tuple(X[:, -1].astype(int))))


@pytest.mark.parametrize("order", [(None, 2), (2, None), (2, 3)])
@pytest.mark.parametrize("cv", [None, 3])
def test_a_memory_knows_labels_whatever_the_number_of_workers(
    data, cv, order, tmp_path
):
    """Neither are they made again, nor are those of other rows taken for them."""
    X, y = data
    distilled = DistilledClassifier(
        Numbered(max_iter=1000),
        Table(),
        cv=cv,
        augmenter=None,
        calibrate=True,
        memory=str(tmp_path),
        random_state=0,
    )
    Numbered.calls.clear()
    found = []
    with joblib.parallel_config(backend="threading"):
        for n_jobs in order:
            distilled.set_params(n_jobs=n_jobs).fit(add_numbers(X), y)
            found.append(distilled.student_.mass_)
            n_calls = len(Numbered.calls)
            if len(found) == 1:
                first = n_calls
    # The folds, or a part of the rows, and all rows, each fitted once.
    assert [what for what, _ in Numbered.calls].count("fit") == (4 if cv else 6)
    assert n_calls == first
    assert len(set(Numbered.calls)) == first
    np.testing.assert_array_equal(*found)
    # Other rows are not known.
    distilled.set_params(n_jobs=None).fit(add_numbers(X)[:-1], y[:-1])
    assert len(Numbered.calls) == 2 * first


def tune(model):
    return TunedThresholdClassifierCV(model, scoring="balanced_accuracy", cv=3)


THRESHOLDS = {
    "tuned": (tune(GaussianNB()), True),
    "fixed": (FixedThresholdClassifier(GaussianNB(), threshold=0.2), True),
    "in a pipeline": (make_pipeline(StandardScaler(), tune(GaussianNB())), True),
    "in a search": (
        GridSearchCV(tune(GaussianNB()), {"estimator__var_smoothing": [1e-9]}, cv=2),
        True,
    ),
    "the usual one": (FixedThresholdClassifier(GaussianNB(), threshold=0.5), False),
    # The vote decides by the mean of the probabilities.
    "in a vote": (VotingClassifier([("a", tune(GaussianNB()))], voting="soft"), False),
    "around the student": (GaussianNB(), False),
}


@pytest.mark.parametrize("name", THRESHOLDS)
@pytest.mark.parametrize("frozen", [False, True])
def test_a_threshold_that_is_lost_is_said_once(name, frozen):
    X, y = make_classification(300, weights=[0.9], class_sep=0.5, random_state=0)
    teacher, lost = THRESHOLDS[name]
    if frozen:
        teacher = FrozenEstimator(clone(teacher).fit(X, y))
    student = LogisticRegression()
    distilled = DistilledClassifier(teacher, student, random_state=0, **PLAIN)
    around = tune(distilled) if name == "around the student" else distilled
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        around.fit(X, y)
    found = [w for w in said if "threshold of" in str(w.message)]
    assert len(found) == lost
    for warning in found:
        assert "(DistilledClassifier(GaussianNB(...), ...))" in str(warning.message)
        assert warning.filename == __file__
    if name == "around the student":
        proba = around.estimator_.predict_proba(X)[:, 1]
        np.testing.assert_array_equal(
            around.predict(X), (proba >= around.best_threshold_).astype(int)
        )
        assert around.predict(X).mean() > (proba > 0.5).mean()
