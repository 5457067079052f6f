"""A teacher without an advantage is named, whatever the parameters leave open."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor

#: A linear student knows these labels, a stump does not.
X = np.random.RandomState(0).normal(size=(1500, 4))
Y = (X.sum(axis=1) + np.random.RandomState(1).normal(size=1500) > 0).astype(int)
STUMP = DecisionTreeClassifier(max_depth=1, random_state=0)
NO_BETTER = "no better than the student trained directly"


def distil(n_rows=600, fit=None, x=X, y=Y, teacher=STUMP, **params):
    student = LogisticRegression()
    distilled = DistilledClassifier(teacher, student, random_state=0, **params)
    return distilled.fit(x[:n_rows], y[:n_rows], **(fit or {}))


@pytest.mark.parametrize("n_rows", [200, 600])
@pytest.mark.parametrize(
    ("params", "learned"),
    [
        ({"augmenter": None}, "training rows"),
        ({"augmenter": "munge"}, "transfer set"),
        ({"alpha": 1.0}, "transfer set"),
        ({"augmenter": None, "cv": 3}, "training rows"),
    ],
)
def test_labels_that_are_asked_for_are_learned_and_judged(params, learned, n_rows):
    with pytest.warns(UserWarning, match=NO_BETTER) as caught:
        distilled = distil(n_rows, **params)
    said = str(caught[-1].message)
    assert "The student learns from: " in said
    assert "true labels" not in said.split("learns from:")[1]
    assert learned in said or n_rows == 600
    assert distilled.distilled_
    compared = [p for p in distilled.pilots_ if p["learns from"] == "true labels"]
    assert [pilot["chosen"] for pilot in compared] == [False]


def test_unlabelled_rows_that_are_learned_are_said():
    with pytest.warns(UserWarning, match=NO_BETTER) as caught:
        distil(fit={"X_unlabeled": X[600:]}, augmenter=None, alpha=1.0)
    assert "learns from: training rows and X_unlabeled. " in str(caught[-1].message)


@pytest.mark.filterwarnings("ignore:The teacher:UserWarning")
@pytest.mark.parametrize("augmenter", ["auto", "munge", None])
def test_a_blend_is_learned_though_the_teacher_repeats_the_labels(augmenter):
    teacher = DecisionTreeClassifier(random_state=0)
    for n_rows in (200, 600):
        distilled = distil(n_rows, teacher=teacher, alpha=0.5, augmenter=augmenter)
        assert distilled.memorization_["accuracy_in_sample"] == 1
        assert distilled.alpha_ == 0.5


def test_stored_probabilities_and_validation_rows_judge_as_well():
    stored = STUMP.fit(X, Y).predict_proba(X)
    with pytest.warns(UserWarning, match=NO_BETTER):
        distil(fit={"teacher_proba": stored[:600]}, teacher=None, augmenter=None)
    given = {"X_val": X[600:900], "y_val": Y[600:900]}
    with pytest.warns(UserWarning, match="on 300 rows"):
        distil(fit=given, augmenter=None, calibrate=False)


def test_values_are_judged_though_none_are_calibrated():
    rows, y = make_regression(400, 4, noise=1, random_state=0)
    teacher = DecisionTreeRegressor(max_depth=1)
    distilled = DistilledRegressor(teacher, Ridge(), augmenter=None, random_state=0)
    with pytest.warns(UserWarning, match=NO_BETTER):
        distilled.fit(rows, y)
    assert distilled.distilled_


@pytest.mark.filterwarnings("error")
def test_no_pilot_and_no_word_where_none_is_asked_for():
    assert distil(augmenter=None, pilot=0).pilots_ == []


def test_unlabelled_rows_of_a_teacher_that_is_dropped_are_not_learned():
    with pytest.warns(UserWarning, match="learns from: true labels") as caught:
        distilled = distil(fit={"X_unlabeled": X[600:]})
    assert len(caught) == 1
    assert not distilled.distilled_
    assert "transfer" not in distilled.labels_asked_
    direct = LogisticRegression().fit(X[:600], Y[:600])
    np.testing.assert_allclose(
        distilled.decision_function(X),
        direct.decision_function(X) / distilled.student_calibration_,
        atol=0.01,
    )


def test_a_class_of_few_rows_leaves_the_others_to_judge():
    y = Y.copy()
    y[:4] = 2
    with pytest.warns(UserWarning, match="no row of the classes") as caught:
        distilled = distil(200, y=y)
    said = [str(warning.message) for warning in caught]
    assert any("not calibrated" in text and "[2]" in text for text in said)
    assert any(NO_BETTER in text and "on 196 rows" in text for text in said)
    assert not distilled.distilled_


@pytest.mark.parametrize("rare", [False, True])
def test_too_few_rows_to_judge_are_named(rare):
    y = np.arange(len(Y)) < 4 if rare else Y
    with pytest.warns(UserWarning, match="too few to judge the teacher"):
        distilled = distil(200 if rare else 49, y=y)
    assert distilled.pilots_ == []


def test_a_teacher_that_is_less_accurate_is_named_whatever_its_log_loss_is():
    """Pure leaves have rows of probability 0, beside which any teacher seems good."""
    rows, y = make_classification(1000, 10, n_informative=6, flip_y=0.1, random_state=0)
    stored = np.random.default_rng(0).dirichlet([5, 5], 1000)
    tree = DecisionTreeClassifier(max_depth=8, random_state=0)
    distilled = DistilledClassifier(None, tree, random_state=0)
    with pytest.warns(UserWarning, match="less accurate than the student trained"):
        distilled.fit(rows, y, teacher_proba=stored)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_advised_reaches_the_figures_that_are_named():
    """A pilot of a network chooses how long it learns the true labels."""
    rows = np.random.default_rng(0).uniform(size=(1600, 2))
    y = (2 * rows).astype(int).sum(axis=1) % 2
    network = MLPClassifier((16,), max_iter=50, random_state=0)
    given = {"teacher": DummyClassifier(), "student": network, "random_state": 0}

    def fit(**params):
        distilled = DistilledClassifier(**given, **params)
        with pytest.warns(UserWarning, match=NO_BETTER) as caught:
            distilled.fit(rows[:600], y[:600])
        said = [str(w.message) for w in caught if NO_BETTER in str(w.message)]
        return said[0], distilled

    said, _ = fit(augmenter=None)
    assert "leave out alpha and augmenter: then it may learn the true labels" in said
    said, advised = fit()
    assert "alone, the student would not choose its number of epochs" in said
    named = float(said.split("log loss ")[2].split()[0])
    reached, alone = (
        log_loss(y[600:], model.predict_proba(rows[600:]))
        for model in (advised, clone(network).fit(rows[:600], y[:600]))
    )
    assert reached == pytest.approx(named, abs=0.1)
    assert alone > named + 0.3


@pytest.mark.parametrize("values", [False, True])
def test_a_teacher_that_may_know_the_rows_is_no_reason_for_a_larger_student(values):
    """Noise that it has memorised looks like an advantage over any student."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(600, 4))
    y = rows.sum(axis=1) + 2 * rng.normal(size=600)
    kinds = DistilledRegressor, KNeighborsRegressor(1), LinearRegression()
    if not values:
        y = y > 0
        kinds = DistilledClassifier, KNeighborsClassifier(1), LogisticRegression()
    distiller, teacher, student = kinds

    def fit(**given):
        frozen = FrozenEstimator(clone(teacher).fit(rows, y))
        distilled = distiller(frozen, student, random_state=3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            distilled.fit(rows, y, **given)
        assert not distilled.distilled_
        key = "rmse" if values else "log_loss"
        best = min(distilled.pilots_, key=lambda pilot: pilot[key])
        leads = best["learns from"] == "true labels"
        return leads, [str(w.message) for w in caught]

    leads, (first, second) = fit()
    assert "may have memorised. Pass X_val" in first
    assert ("do not help this student beyond chance" in second) != leads
    assert "do not help this student" in second
    assert second.endswith("may know these rows, and is not judged by them.")
    assert not any(word in second for word in ("larger", "1.0000", "of the teacher"))
    others = rng.normal(size=(300, 4))
    truth = others.sum(axis=1) + 2 * rng.normal(size=300)
    _, (judged,) = fit(X_val=others, y_val=truth if values else truth > 0)
    assert NO_BETTER in judged


class Stubborn(ClassifierMixin, BaseEstimator):
    """Says the first class of all rows."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile([0.999, 0.001], (len(X), 1))


def test_a_student_worse_than_one_answer_is_not_told_to_grow():
    with pytest.warns(UserWarning, match="worse than one answer for all rows") as said:
        DistilledClassifier(LogisticRegression(), Stubborn(), random_state=0).fit(
            X[:600], Y[:600]
        )
    assert not any("larger student" in str(warning.message) for warning in said)
