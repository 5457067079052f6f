"""Students made of students, against scikit-learn on hard labels and by hand."""

import pickle
from dataclasses import replace
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from _core import PLAIN
from _learners import (
    SoftDataset,
    check_student,
    cross_entropy,
    fit_student,
    make_soft,
    validation_fraction,
)
from _meta_students import STUDENTS, make_logistic, make_scaled
from _nets import Net
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier

from skdistill import DistilledClassifier
from skdistill._students._fit_student import fit_part
from skdistill._students._meta import StandIn


def make_stopping():
    return MLPClassifier(
        (4,),
        early_stopping=True,
        random_state=0,
        learning_rate_init=0.05,
        max_iter=100,
        n_iter_no_change=3,
    )


quiet = pytest.mark.filterwarnings(
    "ignore:Some inputs do not have OOB", "ignore:invalid"
)


@quiet
@pytest.mark.parametrize(
    ("name", "n_classes"), list(zip(STUDENTS, cycle([2, 3]), strict=False))
)
def test_result_is_stock_and_learned(name, n_classes):
    data = make_soft(n_classes=n_classes, weighted=True)
    student = STUDENTS[name]
    check_student(student, "auto", n_classes, 120)
    assert validation_fraction(student, 120) is None
    fitted = fit_student(clone(student), data)
    stock = clone(student).fit(data.X, data.y)
    assert type(fitted) is type(stock)
    assert set(vars(fitted)) == set(vars(stock))
    assert repr(fitted) == repr(student)
    assert b"skdistill" not in pickle.dumps(fitted)
    np.testing.assert_array_equal(fitted.classes_, data.classes)
    assert set(fitted.predict(data.X)) <= set(data.classes)
    prior = np.average(data.targets, axis=0, weights=data.weight)
    losses = [
        cross_entropy(data.targets, proba, data.weight)
        for proba in (fitted.predict_proba(data.X), np.tile(prior, (120, 1)))
    ]
    assert losses[0] < 0.8 * losses[1]


#: Whose stock `fit` takes no weights, or hands none to a Pipeline inside.
UNWEIGHTED = (
    "rest",
    "vote",
    "stack",
    "stack-passthrough",
    "grid-many-scores",
    "calibrated-once",
    "bag-columns",
)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", sorted(set(STUDENTS) - {"random", "bag"}))
def test_one_hot_targets_give_the_stock_fit(name, n_classes):
    """All but trees, among which a tie may be broken in another way."""
    data = make_soft(n_classes=n_classes, weighted=name not in UNWEIGHTED)
    hard = data.harden()
    ours = fit_student(clone(STUDENTS[name]), hard)
    weight = {} if name in UNWEIGHTED else {"sample_weight": data.weight}
    stock = clone(STUDENTS[name]).fit(data.X, data.y, **weight)
    np.testing.assert_allclose(
        ours.predict_proba(data.X), stock.predict_proba(data.X), atol=1e-5
    )
    if hasattr(stock, "cv_results_"):
        assert ours.best_params_ == stock.best_params_
        for key, scores in stock.cv_results_.items():
            if key.startswith("split"):
                np.testing.assert_allclose(ours.cv_results_[key], scores, atol=1e-5)
        score = stock.score(data.X, data.y)
        assert ours.score(data.X, data.y) == pytest.approx(score, abs=1e-5)


def test_a_voter_is_the_student_alone():
    data = make_soft(weighted=True)
    fitted = fit_student(clone(STUDENTS["vote"]), data)
    for name, alone in (("a", make_scaled()), ("c", GaussianNB())):
        alone = fit_student(alone, data)
        np.testing.assert_array_equal(
            fitted.named_estimators_[name].predict_proba(data.X),
            alone.predict_proba(data.X),
        )
    assert fitted.named_estimators_["b"] == "drop"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_against_the_rest_learns_the_probability_of_the_class(n_classes):
    data = make_soft(n_classes=n_classes, weighted=True)
    fitted = fit_student(clone(STUDENTS["rest"]), data)
    learned = [1] if n_classes == 2 else [0, 1, 2]
    for k, part in zip(learned, fitted.estimators_, strict=True):
        pair = np.column_stack([1 - data.targets[:, k], data.targets[:, k]])
        binary = SoftDataset(data.X, pair, np.arange(2), pair.argmax(1), data.weight)
        alone = fit_student(make_scaled(), binary)
        np.testing.assert_allclose(
            part.predict_proba(data.X), alone.predict_proba(data.X), atol=1e-12
        )


def test_a_bag_draws_rows_with_their_targets():
    data = make_soft()
    bag = BaggingClassifier(make_logistic(), n_estimators=2, random_state=0)
    fitted = fit_student(bag, data)
    for rows, part in zip(fitted.estimators_samples_, fitted.estimators_, strict=True):
        assert len(rows) == 120
        alone = fit_student(make_logistic(), data.take(rows))
        np.testing.assert_allclose(part.coef_, alone.coef_, atol=1e-8)


@pytest.mark.parametrize(
    "student",
    [
        VotingClassifier([("a", make_stopping())], voting="soft"),
        GridSearchCV(make_stopping(), {"alpha": [1e-3]}, cv=2),
        CalibratedClassifierCV(make_pipeline(StandardScaler(), make_stopping()), cv=2),
        BaggingClassifier(make_stopping(), n_estimators=2, random_state=0),
    ],
)
def test_a_part_that_stops_early_holds_out_rows_of_its_own(student):
    """The soft score decides, which is negative; the stock one is an accuracy."""
    fitted = fit_student(clone(student), make_soft())
    parts = {
        "VotingClassifier": lambda s: s.estimators_,
        "GridSearchCV": lambda s: [s.best_estimator_],
        "CalibratedClassifierCV": lambda s: [
            c.estimator[-1] for c in s.calibrated_classifiers_
        ],
        "BaggingClassifier": lambda s: s.estimators_,
    }[type(student).__name__](fitted)
    for part in parts:
        assert part.early_stopping is True
        assert part.n_iter_ < 100
        assert max(part.validation_scores_) < 0


def test_class_weight_of_a_part_counts_soft_targets():
    data = make_soft(n_classes=3, weighted=True)
    hard = data.harden()
    vote = VotingClassifier(
        [("a", make_logistic(class_weight="balanced"))], voting="soft"
    )
    ours = fit_student(clone(vote), hard)
    stock = clone(vote).fit(data.X, data.y, sample_weight=data.weight)
    np.testing.assert_allclose(
        ours.estimators_[0].coef_, stock.estimators_[0].coef_, atol=1e-4
    )


@pytest.mark.filterwarnings("ignore:The teacher is no better")
def test_class_weights_of_members_are_those_of_positions():
    """scikit-learn hands members the positions of the labels."""
    data = make_soft(n_classes=2, weighted=True)
    text = np.array(["no", "yes"])[data.codes]
    member = make_logistic(class_weight={0: 1, 1: 5})
    bag = BaggingClassifier(member, 2, random_state=0)
    for student in (VotingClassifier([("a", member)], voting="soft"), bag):
        clone(student).fit(data.X, text)
        distilled = DistilledClassifier(GaussianNB(), student, random_state=0)
        by_position, by_name = (
            clone(distilled).fit(data.X, y).predict_proba(data.X)
            for y in (data.codes, text)
        )
        np.testing.assert_array_equal(by_position, by_name)


def test_parallel_and_nested_students():
    data = make_soft(weighted=True)
    inner = GridSearchCV(make_logistic(), {"C": [0.1, 1]}, cv=2)
    student = StackingClassifier(
        [("grid", inner), ("rest", OneVsRestClassifier(GaussianNB()))], cv=2
    )
    check_student(student, 1.0, 3, 120)
    alone = fit_student(clone(student), data)
    with parallel_config(backend="threading"):
        together = fit_student(clone(student).set_params(n_jobs=2), data)
    np.testing.assert_array_equal(
        alone.predict_proba(data.X), together.predict_proba(data.X)
    )
    assert b"skdistill" not in pickle.dumps(together)


def test_a_stand_in_travels_to_other_processes():
    data = make_soft()
    stand_in = pickle.loads(pickle.dumps(StandIn(make_logistic(), data, fit_part)))
    stand_in.fit(data.X[:50], data.y[:50], sample_weight=np.arange(50))
    alone = fit_student(make_logistic(), data.take(np.arange(50)))
    again = pickle.loads(pickle.dumps(stand_in))
    np.testing.assert_array_equal(again.coef_, alone.coef_)
    # It carries only the targets of the rows.
    assert len(pickle.dumps(StandIn(make_logistic(), data, fit_part))) < 10_000


def test_names_of_columns_reach_the_parts():
    data = make_soft()
    named = data.with_rows(pd.DataFrame(data.X, columns=list("wxyz")))
    for name in ("grid", "calibrated", "rest", "vote", "stack", "path"):
        fitted = fit_student(clone(STUDENTS[name]), named)
        assert fitted.feature_names_in_.tolist() == list("wxyz")
        fitted.predict_proba(named.X)


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_failing_candidate_is_sklearn_s_business():
    data = make_soft()
    search = GridSearchCV(make_logistic(), {"C": [-1.0, 1.0]}, cv=2)
    with pytest.warns(match="2 fits failed"):
        fitted = fit_student(search, data)
    assert fitted.best_params_ == {"C": 1.0}
    assert np.isnan(fitted.cv_results_["mean_test_score"][0])


def plain_accuracy(estimator, X, y):
    return estimator.score(X, y)


@pytest.mark.parametrize(
    ("student", "error", "match"),
    [
        (
            GridSearchCV(GaussianNB(), {}, scoring=plain_accuracy),
            TypeError,
            "plain_accuracy.* takes none. Use scoring='neg_log_loss'",
        ),
        (
            GridSearchCV(
                GaussianNB(),
                {},
                scoring={"a": "accuracy", "b": make_scorer(lambda y, p: 0.0)},
                refit="a",
            ),
            TypeError,
            "reach a scorer as sample_weight",
        ),
        (
            StackingClassifier([("a", GaussianNB())], cv="prefit"),
            ValueError,
            "received cv='prefit'. Set cv",
        ),
        (
            VotingClassifier([("k", KNeighborsClassifier())], voting="soft"),
            TypeError,
            "KNeighborsClassifier does not. Use MLPClassifier",
        ),
        (
            BaggingClassifier(make_pipeline(StandardScaler(), KNeighborsClassifier())),
            TypeError,
            "KNeighborsClassifier does not",
        ),
        (
            OneVsOneClassifier(GaussianNB()),
            TypeError,
            "which OneVsOneClassifier has not",
        ),
        (OneVsRestClassifier(LinearSVC()), TypeError, "which OneVsRestC.* has not"),
        (
            VotingClassifier([("a", GaussianNB())]),
            TypeError,
            "which VotingClassifier has not",
        ),
        (
            GridSearchCV(GaussianNB(), {}, refit=False),
            TypeError,
            "which GridSearchCV has not",
        ),
        (
            RFECV(LogisticRegression()),
            TypeError,
            "must not draw folds of its own.*received a RFECV. Put it around",
        ),
        (
            AdaBoostClassifier(DecisionTreeClassifier(class_weight="balanced")),
            ValueError,
            "estimator__class_weight='balanced' inside AdaBoost.* a dict of class",
        ),
    ],
)
def test_students_that_cannot_learn(student, error, match):
    with pytest.raises(error, match=match):
        check_student(student, 1.0, 2, 120)


def test_a_net_that_blends_by_itself_is_noticed_inside():
    loss = pytest.importorskip("skdistill.torch").DistillationLoss
    net = make_pipeline(StandardScaler(), NeuralNetClassifier(Net, criterion=loss))
    bag = BaggingClassifier(net)
    check_student(bag, "auto", 2, 120)
    with pytest.raises(ValueError, match="DistillationLoss blends"):
        check_student(bag, "auto", 2, 120, alpha=0.5)


@pytest.mark.parametrize("name", ["grid", "calibrated", "rest", "vote", "stack", "bag"])
@pytest.mark.filterwarnings("ignore:The teacher", "ignore:Some inputs do not have OOB")
def test_a_rare_class_may_be_the_likeliest_of_no_row(name):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(600, 5))
    y = np.zeros(600, dtype=int)
    y[np.argsort(X[:, 0] + X[:, 1] * X[:, 2] + 2 * rng.normal(size=600))[-8:]] = 1
    forest = RandomForestClassifier(30, min_samples_leaf=5, random_state=0)
    student = clone(STUDENTS[name])
    distilled = DistilledClassifier(forest, student, random_state=0).fit(X, y)
    assert "far transfer set" in [pilot["learns from"] for pilot in distilled.pilots_]
    # Both keep the mean probability of the class.
    assert 0.5 < distilled.predict_proba(X)[:, 1].mean() / y.mean() < 2


def test_parts_learn_targets_whatever_the_labels_are():
    data = make_soft(weighted=True)
    other = replace(data, y=np.full(data.n_samples, data.classes[0]))
    member = make_logistic()
    alone = fit_student(clone(member), data).predict_proba(data.X)
    vote = fit_student(VotingClassifier([("a", member)], voting="soft"), other)
    np.testing.assert_allclose(vote.predict_proba(data.X), alone, atol=1e-6)
    np.testing.assert_array_equal(vote.classes_, data.classes)


def test_as_many_rows_as_classes_are_needed():
    few = make_soft().take(np.arange(2))
    with pytest.raises(ValueError, match="a row for each of 3 classes; received 2"):
        fit_student(clone(STUDENTS["grid"]), few)


@pytest.mark.parametrize("name", ["grid", "calibrated", "rest", "vote", "stack", "bag"])
@quiet
def test_in_a_distilled_classifier(name):
    data = make_soft()
    distilled = DistilledClassifier(
        GaussianNB(), clone(STUDENTS[name]), random_state=0, cv=3, **PLAIN
    )
    plain = clone(distilled).fit(data.X, data.y)
    with config_context(enable_metadata_routing=True):
        fitted = clone(distilled).fit(data.X, data.y)
    np.testing.assert_array_equal(
        fitted.predict_proba(data.X), plain.predict_proba(data.X)
    )
    assert type(fitted.student_) is type(STUDENTS[name])
