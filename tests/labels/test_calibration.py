"""Calibrated labels: the scalar, the rows it is fitted on, and what it does for it."""

import warnings

import numpy as np
import pytest
from _core import (
    Columns,
    Table,
    add_numbers,
    calibrate,
    clip,
    fit_calibration,
)
from lightgbm import LGBMClassifier
from scipy.special import softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, FunctionClassifier

#: Class weights, and none, that stand inside of something else.
FROZEN = FrozenEstimator(Columns("balanced").fit(None, [0, 1]))
PIPELINE = Pipeline([("only", FunctionTransformer()), ("c", Columns())])


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


def draw(n_samples, n_classes, temperature, seed=0):
    """Probabilities, and labels drawn from what they are at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(n_samples, n_classes))
    truth = softmax(logits / temperature, axis=1)
    codes = np.array([rng.choice(n_classes, p=row) for row in truth])
    return softmax(logits, axis=1), codes


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def distil(proba, codes, teacher=None, weight=None):
    """Calibrate a teacher whose probabilities are given; it sees no row anyway."""
    distilled = DistilledClassifier(
        teacher or Columns(), Table(), augmenter=None, calibrate=True, cv=KFold(2)
    )
    return distilled.fit(add_numbers(proba), codes, sample_weight=weight)


def serve(distilled, proba):
    return distilled.predict_proba(add_numbers(proba))


@pytest.mark.parametrize("temperature", [0.5, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_scalar_is_near_the_one_of_scikit_learn(n_classes, temperature):
    """Which has no shift, and none is needed where classes are alike."""
    proba, codes = draw(3000, n_classes, temperature)
    distilled = distil(proba, codes)
    clipped = add_numbers(clip(proba, codes))
    theirs = CalibratedClassifierCV(
        FrozenEstimator(Columns().fit(clipped, codes)), method="temperature"
    ).fit(clipped, codes)
    served = serve(distilled, proba)
    np.testing.assert_allclose(served, theirs.predict_proba(clipped), atol=0.03)
    # The temperature it was drawn with, as near as 3,000 rows tell.
    assert distilled.calibration_ == pytest.approx(temperature, rel=0.15)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("n_samples", [40, 300])
def test_scalar_and_shifts_are_those_of_other_solvers(n_samples, class_weight):
    proba, codes = draw(n_samples, 3, 0.6, seed=1)
    proba = proba * [1, 4, 0.3]
    proba /= proba.sum(axis=1, keepdims=True)
    clipped = clip(proba, codes)
    observed = class_weight is not None
    scalar, shift = fit_calibration(clipped, codes, observed=observed)
    distilled = distil(proba, codes, Columns(class_weight))
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-3)
    added = distilled.calibration_shift_ - shift
    np.testing.assert_allclose(added - added[0], 0, atol=2e-3)
    served = serve(distilled, proba)
    np.testing.assert_allclose(served, calibrate(clipped, scalar, shift), atol=1e-3)
    counts = np.bincount(codes) + clipped.mean(axis=0)
    wanted = counts / counts.sum() if observed else clipped.mean(axis=0)
    # The prior of the shifts lets the means go by little.
    rtol = 1e-3 if observed else 0.1
    np.testing.assert_allclose(served.mean(axis=0), wanted, rtol=rtol)


def test_the_prior_holds_the_scalar_where_rows_are_few():
    proba = np.array([[0.6, 0.4], [0.4, 0.6]] * 100)
    codes = np.tile([0, 1], 100)
    few = distil(proba[:6], codes[:6]).calibration_
    many = distil(proba, codes).calibration_
    assert many < few < 1
    scalar, _ = fit_calibration(proba, codes)
    assert many == pytest.approx(scalar, rel=1e-3)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_scale_of_weights_does_not_count(class_weight):
    proba, codes = draw(200, 3, 0.7)
    weight = np.random.default_rng(0).uniform(0.5, 4, 200)
    teacher = Columns(class_weight)
    one, ten = (distil(proba, codes, teacher, k * weight) for k in (1, 10))
    # What the optimiser leaves depends on the processor.
    assert one.calibration_ == pytest.approx(ten.calibration_, rel=1e-4)
    clipped = clip(proba, codes, weight)
    observed = class_weight is not None
    scalar, _ = fit_calibration(clipped, codes, weight, observed=observed)
    assert one.calibration_ == pytest.approx(scalar, rel=1e-3)
    unweighted = serve(distil(proba, codes, teacher), proba)
    assert np.abs(serve(one, proba) - unweighted).max() > 1e-3


@pytest.mark.parametrize(("n_samples", "n_validation"), [(600, 120), (300, 297)])
def test_a_class_that_is_not_held_out_is_named_and_nothing_calibrated(
    n_samples, n_validation
):
    """Few rows are all held out in turn, but for classes of fewer than five."""
    proba, codes = draw(n_samples, 3, 0.7)
    codes[:] = np.arange(n_samples) % 2
    codes[:3] = 2
    distilled = DistilledClassifier(Columns(), Table(), augmenter=None, random_state=0)
    told = (
        rf"not calibrated: no row of the classes \[2\] is among the {n_validation} that"
    )
    with pytest.warns(UserWarning, match=told) as caught:
        distilled.fit(add_numbers(proba), codes)
    assert any("Set cv=5, or pass 5 of each." in str(w.message) for w in caught)
    assert distilled.calibration_ is None
    # Either fix.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        distilled.set_params(cv=5).fit(add_numbers(proba), codes)
    assert distilled.calibration_ is not None
    codes[:5] = 2
    distilled.set_params(cv=None).fit(add_numbers(proba), codes)
    assert distilled.calibration_ is not None


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (Columns(), False),
        (Columns("balanced"), True),
        (Columns({0: 1, 1: 5}), True),
        (make_pipeline(FunctionTransformer(), Columns()), False),
        (make_pipeline(FunctionTransformer(), Columns("balanced")), True),
        (VotingClassifier([("a", Columns()), ("b", Columns())], voting="soft"), False),
        (
            VotingClassifier(
                [("a", Columns()), ("b", Columns("balanced"))], voting="soft"
            ),
            True,
        ),
        (Columns(is_unbalance=True), True),
        (Columns(is_unbalance=False), False),
        (Columns(scale_pos_weight=1), False),
        (Columns(scale_pos_weight=1.0), False),
        (Columns(scale_pos_weight=20), True),
        (Columns(class_weights=np.array([1.0, 3.0])), True),
        (VotingClassifier([("a", FROZEN)], voting="soft"), True),
        (GridSearchCV(Columns("balanced"), {"is_unbalance": [False]}, cv=2), True),
        (GridSearchCV(Columns(), {"is_unbalance": [False]}, cv=2), False),
        (GridSearchCV(Columns(), {"class_weight": [None, "balanced"]}, cv=2), True),
        (GridSearchCV(PIPELINE, {"c": [Columns(), Columns("balanced")]}, cv=2), True),
        (GridSearchCV(PIPELINE, [{"c__is_unbalance": [True]}], cv=2), True),
        (RandomizedSearchCV(Columns(), {"scale_pos_weight": [9]}, n_iter=1), True),
    ],
)
def test_classes_are_shifted_where_the_teacher_weighs_them(teacher, expected):
    proba, codes = draw(120, 2, 0.8)
    clipped = clip(proba, codes)
    served = serve(distil(proba, codes, teacher), proba).mean(axis=0)
    held, share = clipped.mean(axis=0)[1], codes.mean()
    assert abs(held - share) > 0.01
    wanted = (120 * share + held) / 121 if expected else held
    assert served[1] == pytest.approx(wanted, abs=1e-4 if expected else 0.01)


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        (Columns("balanced"), True),
        (PIPELINE, False),
        (clone(PIPELINE).set_params(c__class_weight="balanced"), True),
        (VotingClassifier([("a", Columns("balanced"))], voting="soft"), True),
        # All score alike, and the first is the best.
        (GridSearchCV(Columns(), {"class_weight": ["balanced", None]}, cv=2), True),
        (GridSearchCV(Columns(), {"class_weight": [None, "balanced"]}, cv=2), False),
    ],
)
def test_the_class_weights_of_a_frozen_teacher_are_seen(teacher, expected):
    proba, codes = draw(120, 2, 0.8)
    X = add_numbers(proba)
    distilled = DistilledClassifier(
        FrozenEstimator(teacher.fit(X, codes)), Table(), augmenter=None, pilot=0
    ).fit(X, codes, X_val=X, y_val=codes)
    clipped = clip(proba, codes)
    given = (distilled.calibration_, distilled.calibration_shift_)
    mean = calibrate(clipped, *given).mean(axis=0)[1]
    held, share = clipped.mean(axis=0)[1], codes.mean()
    wanted = (120 * share + held) / 121 if expected else held
    assert mean == pytest.approx(wanted, abs=1e-4 if expected else 0.01)


WEIGHED = LogisticRegression(class_weight="balanced")
WEIGHED_TWICE = "weighed twice. Leave the class weights out of the student"


@pytest.mark.parametrize(
    ("teacher", "student", "expected"),
    [
        (WEIGHED, WEIGHED, True),
        (WEIGHED, make_pipeline(StandardScaler(), WEIGHED), True),
        (WEIGHED, LogisticRegression(), False),
        (LogisticRegression(), WEIGHED, False),
        (CalibratedClassifierCV(WEIGHED), WEIGHED, False),
        ("function", WEIGHED, True),
    ],
)
def test_class_weights_that_count_twice_are_told(teacher, student, expected):
    X, y = make_classification(600, 5, weights=[0.9], flip_y=0.05, random_state=0)
    if teacher == "function":
        teacher = FunctionClassifier(clone(WEIGHED).fit(X, y).predict_proba, [0, 1])
    else:
        teacher = FrozenEstimator(clone(teacher).fit(X, y))
    distilled = DistilledClassifier(teacher, student, augmenter=None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distilled.fit(X, y)
        # Calibrated labels have the rates of the rows.
        distilled.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    told = [str(found.message) for found in caught]
    assert sum(WEIGHED_TWICE in message for message in told) == expected


class Noting(DecisionTreeClassifier):
    """A teacher that notes what each of its fits saw."""

    fits = []

    def fit(self, X, y, sample_weight=None):
        Noting.fits.append(X[:, -1].astype(int))
        return super().fit(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_hold_out_teacher_did_not_see_the_rows(data, weighted):
    X, y = add_numbers(data[0][:550]), data[1][:550]
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
    proba = clip(again.predict_proba(X[held_out]), y, weight)
    prior = np.bincount(y, weights=weight)
    scalar, _ = fit_calibration(
        proba, y[held_out], None if weight is None else weight[held_out], prior
    )
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-4)


def test_out_of_fold_labels_calibrate(data):
    X, y = data[0][:550], data[1][:550]
    teacher = RandomForestClassifier(10, random_state=0)
    distilled = DistilledClassifier(
        teacher, LogisticRegression(), augmenter=None, cv=KFold(3)
    ).fit(X, y)
    proba = cross_val_predict(teacher, X, y, cv=KFold(3), method="predict_proba")
    scalar, _ = fit_calibration(clip(proba, y), y)
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-4)


def test_calibration_keeps_what_is_predicted(data):
    X, y = add_numbers(data[0][:550]), data[1][:550]
    served = {}
    for calibrated in (False, True):
        distilled = DistilledClassifier(
            RandomForestClassifier(20, max_depth=4, random_state=0),
            Table(),
            augmenter=None,
            calibrate=calibrated,
            random_state=0,
        ).fit(X, y)
        served[calibrated] = distilled.predict_proba(X)
    proba = clip(distilled.teacher_.predict_proba(X), y)
    # Without, it is the teacher that is served, clipped; with, its logarithms are
    # divided by the scalar and shifted.
    np.testing.assert_allclose(served[False], proba, atol=1e-12)
    given = (distilled.calibration_, distilled.calibration_shift_)
    np.testing.assert_allclose(served[True], calibrate(proba, *given), atol=1e-12)
    assert distilled.calibration_ < 0.95
    same = served[False].argmax(axis=1) == served[True].argmax(axis=1)
    assert same.mean() > 0.98


def test_an_uncalibrated_fit_has_no_scalar(data):
    X, y = add_numbers(data[0][:550]), data[1][:550]
    Noting.fits.clear()
    distilled = DistilledClassifier(
        Noting(random_state=0), LogisticRegression(), augmenter=None, calibrate=False
    ).fit(X, y)
    assert distilled.calibration_ is None
    assert len(Noting.fits) == 1


@pytest.mark.parametrize("weighted", [False, True])
def test_few_rows_are_calibrated_on_five_folds(data, weighted):
    X, y = add_numbers(data[0][:150]), data[1][:150]
    weight = np.random.default_rng(0).uniform(0.2, 3, 150) if weighted else None
    Noting.fits.clear()
    distilled = DistilledClassifier(
        Noting(max_depth=3, random_state=0), Table(), augmenter=None, random_state=0
    ).fit(X, y, sample_weight=weight)
    *parts, full = Noting.fits
    np.testing.assert_array_equal(full, np.arange(150))
    assert [len(part) for part in parts] == [120] * 5
    # Put together again from what the teachers were fitted on.
    tree, proba = (
        DecisionTreeClassifier(max_depth=3, random_state=0),
        np.zeros((150, 3)),
    )
    for part in parts:
        held_out = np.setdiff1d(np.arange(150), part)
        own = None if weight is None else weight[part]
        tree.fit(X[part], y[part], own)
        assert not proba[held_out].any()
        proba[held_out] = tree.predict_proba(X[held_out])
    scalar, _ = fit_calibration(clip(proba, y, weight), y, weight)
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-3)
    # The folds only calibrate: rows are learned with the labels of the whole teacher.
    taught = clip(distilled.teacher_.predict_proba(X), y, weight)
    given = (distilled.calibration_, distilled.calibration_shift_)
    np.testing.assert_allclose(
        distilled.predict_proba(X), calibrate(taught, *given), atol=1e-12
    )
    assert [pilot["learns from"] for pilot in distilled.pilots_] == ["true labels"]
    assert distilled.memorization_["accuracy_out_of_fold"] < 1


@pytest.mark.parametrize(("n_samples", "n_rare"), [(49, 20), (200, 4)])
def test_fewer_rows_or_rows_of_a_class_are_not_calibrated_unless_asked(
    n_samples, n_rare
):
    proba, codes = draw(n_samples, 2, 0.7)
    codes[:] = np.arange(n_samples) < n_rare
    distilled = DistilledClassifier(
        Columns(), Table(), augmenter=None, random_state=0
    ).fit(add_numbers(proba), codes)
    assert distilled.calibration_ is None
    assert distilled.memorization_ is None
    distilled.set_params(calibrate=True).fit(add_numbers(proba), codes)
    clipped = clip(proba, codes)
    # This teacher says the same whatever it was fitted on.
    scalar, _ = fit_calibration(clipped, codes)
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-3)


def test_rare_classes_keep_their_share_under_class_weights():
    X, y = make_classification(
        6000, n_features=5, weights=[0.9], flip_y=0.05, class_sep=0.7, random_state=0
    )
    # A fifth of the rows holds the share: of 160 it would be off by a third.
    X, X_test, y, y_test = X[:2000], X[2000:], y[:2000], y[2000:]
    distilled = DistilledClassifier(
        RandomForestClassifier(
            30, max_depth=4, class_weight="balanced", random_state=0
        ),
        MLPClassifier((8,), max_iter=40, learning_rate_init=0.02),
        augmenter=None,
        random_state=0,
    ).fit(X, y)
    share = y_test.mean()
    said = distilled.teacher_.predict_proba(X_test)
    taught = said[:, 1].mean()
    logits = np.log(clip(said, y)) / distilled.calibration_
    labels = softmax(logits + distilled.calibration_shift_, axis=1)[:, 1].mean()
    served = distilled.predict_proba(X_test)[:, 1].mean()
    assert taught > 2 * share
    # The calibration is that of a teacher which was fitted on fewer rows.
    assert labels == pytest.approx(share, abs=0.05)
    assert served == pytest.approx(labels, abs=0.01)
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
    for calibrated in (False, True):
        model = clone(distilled).set_params(calibrate=calibrated).fit(X[:550], y[:550])
        losses[calibrated] = log_loss(y[550:], model.predict_proba(X[550:]))
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
    X = add_numbers(rng.normal(size=(600, 2)))
    y = (X[:, 0] + 0.8 * rng.normal(size=600) > 0).astype(int)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(random_state=0),
        Table(),
        augmenter=None,
        random_state=0,
    ).fit(X, y)
    assert distilled.calibration_ > 2
    np.testing.assert_allclose(
        distilled.predict_proba(X),
        calibrate(
            clip(np.eye(2)[y], y),
            distilled.calibration_,
            distilled.calibration_shift_,
        ),
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
        expected = calibrate(unscaled, distilled.student_calibration_, 0.0)
        np.testing.assert_allclose(served, expected, atol=1e-9)
