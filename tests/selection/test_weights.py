"""What class weights and row weights decide, and what is said of them."""

import warnings

import numpy as np
import pytest
from _core import clip
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_sample_weight

from skdistill import DistilledClassifier, DistilledRegressor


@pytest.mark.parametrize("seed", [3, 5])
def test_a_student_of_balanced_classes_learns_from_a_better_teacher(seed):
    X, y = make_classification(
        2000, 8, n_informative=6, weights=[0.8], flip_y=0.1, random_state=seed
    )
    teacher = ExtraTreesClassifier(30, min_samples_leaf=3, random_state=0)
    student = LGBMClassifier(
        n_estimators=20, num_leaves=15, class_weight="balanced", verbose=-1, n_jobs=1
    )
    est = DistilledClassifier(teacher, student, random_state=seed).fit(X, y)
    assert est.distilled_


def test_class_weights_count_where_no_training_row_is_learned():
    """The far transfer set goes without the training rows."""
    X, y = make_classification(600, 5, weights=[0.7], random_state=0)
    student = DecisionTreeClassifier(max_depth=3, class_weight="balanced")
    est = DistilledClassifier(GaussianNB(), student, n_synthetic=300, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The teacher")
        est.fit(X, y)
    # Both classes weigh the same.
    found = {pilot["learns from"]: pilot["log_loss"] for pilot in est.pilots_}
    assert 0 < found["far transfer set"] < np.log(2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda student: student,
        lambda student: make_pipeline(StandardScaler(), student),
        lambda student: BaggingClassifier(student, 3, random_state=0),
    ],
    ids=["alone", "pipeline", "bag"],
)
def test_teacher_and_pilots_are_judged_under_class_weights(wrap, weighted):
    X, y = make_classification(800, 5, weights=[0.8], flip_y=0.3, random_state=0)
    student = wrap(
        DecisionTreeClassifier(max_depth=2, class_weight={1: 5.0}, random_state=0)
    )
    cv = StratifiedKFold(4)
    train, held_out = next(cv.split(X, y))
    weight = np.ones(800)
    if weighted:
        weight = np.random.default_rng(0).uniform(0.5, 2, 800)
    est = DistilledClassifier(
        GaussianNB(), clone(student), cv=cv, calibrate=False, pilot=9, random_state=0
    )
    with pytest.warns(UserWarning, match="The teacher") as caught:
        est.fit(X, y, sample_weight=weight if weighted else None)
    w = weight[held_out] * np.where(y[held_out] == 1, 5, 1)
    pilot = est.pilots_[-1]
    assert pilot["learns from"] == "true labels"
    if not isinstance(student, BaggingClassifier):
        path = "decisiontreeclassifier__" if hasattr(student, "steps") else ""
        student.fit(X[train], y[train], **{f"{path}sample_weight": weight[train]})
        proba = student.predict_proba(X[held_out])
        assert pilot["log_loss"] == pytest.approx(
            log_loss(y[held_out], proba, sample_weight=w), abs=1e-6
        )
    teacher = GaussianNB().fit(X[train], y[train], sample_weight=weight[train])
    proba = clip(teacher.predict_proba(X), y, weight)[held_out] * [1, 5]
    proba /= proba.sum(axis=1, keepdims=True)
    loss = log_loss(y[held_out], proba, sample_weight=w)
    accuracy = accuracy_score(y[held_out], proba.argmax(axis=1), sample_weight=w)
    expected = f"accuracy {accuracy:.4f} and log loss {loss:.4f} of the teacher"
    assert any(expected in str(w.message) for w in caught)


def fit_weighted(y, weight):
    X = np.random.default_rng(0).normal(size=(len(y), 3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est = DistilledClassifier(LogisticRegression(), LogisticRegression())
        est.fit(X, y, sample_weight=weight)
    return [str(w.message) for w in caught if "sample_weight" in str(w.message)]


def test_weights_that_are_costs_are_named_once():
    y = np.arange(400) < 40
    (said,) = fit_weighted(np.where(y, "fraud", "fine"), np.where(y, 20.0, 1.0))
    # 40 of 400 rows, and 800 of 1160 units of weight.
    assert "'fraud'" in said
    assert "10.00% of the rows and 68.97% of the sample_weight" in said
    # The class that loses is named where it loses by the larger factor.
    (said,) = fit_weighted(~y, np.where(y, 20.0, 1.0))
    assert "False" in said


def test_weights_of_next_to_nothing_are_named():
    y = np.arange(400) < 120
    (said,) = fit_weighted(y, np.full(400, 1e-6))
    assert "sums to 0.0004 over 400 rows" in said
    assert "Divide the weights by their mean" in said
    with pytest.warns(UserWarning, match=r"sums to 0\.0004"):
        DistilledRegressor(LinearRegression(), LinearRegression()).fit(
            np.arange(400.0)[:, None], y.astype(float), sample_weight=[1e-6] * 400
        )


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_sums_of_weights_neither_over_nor_underflow(scale):
    X = np.random.default_rng(0).normal(size=(400, 3))
    weight = np.where(np.arange(400) % 2, 1.0, 1e-300) * scale
    est = DistilledClassifier(LogisticRegression(), LogisticRegression())
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        est.fit(X, X[:, 0] > 0, sample_weight=weight)


def test_ordinary_weights_are_no_cause_to_warn():
    rng = np.random.default_rng(0)
    y = np.arange(400) < 120
    assert fit_weighted(y, None) == []
    assert fit_weighted(y, compute_sample_weight("balanced", y)) == []
    assert fit_weighted(y, rng.uniform(0, 5, 400)) == []
    assert fit_weighted(y, np.full(400, 1 / 400)) == []
    assert fit_weighted(y, np.full(400, 1e6)) == []
    assert fit_weighted(y, np.exp(rng.normal(size=400))) == []
    # Weights do not depend on a class of which there are three rows.
    assert not any(
        fit_weighted(np.arange(400) < 3, np.exp(1.5 * rng.normal(size=400)))
        for _ in range(20)
    )


@pytest.mark.parametrize(
    ("balanced", "chunked"), [(True, True), (False, False), (False, True)]
)
def test_class_weights_know_labels_that_are_numbers_as_text(balanced, chunked):
    X, y = make_classification(600, 5, weights=[0.7], random_state=0)
    served = []
    for labels in (np.array([0, 1]), np.array(["0", "1"])):
        weights = dict(zip(labels.tolist(), (1, 3), strict=True))
        student = LogisticRegression(class_weight="balanced" if balanced else weights)
        params = {"augmenter": None, "calibrate": False, "random_state": 0}
        est = DistilledClassifier(GaussianNB(), student, **params)
        rows = [X[300:450], X[450:]] if chunked else X[300:]
        est.fit(X[:300], labels[y[:300]], X_unlabeled=rows)
        served.append(est.predict_proba(X))
    np.testing.assert_array_equal(*served)
