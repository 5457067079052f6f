"""Validation rows: what they decide, and that nothing is fitted on them."""

import re
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from _core import PLAIN, Table, add_numbers, clip, fit_calibration
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor, FunctionClassifier

ROWS, LABELS = make_classification(
    900, 6, n_informative=4, n_classes=3, flip_y=0.1, random_state=0
)
X, Y = ROWS[:600], LABELS[:600]
X_VAL, Y_VAL = ROWS[600:800], LABELS[600:800]
VAL = {"X_val": X_VAL, "y_val": Y_VAL}
FOREST = RandomForestClassifier(20, random_state=0)
FITTED = FrozenEstimator(RandomForestClassifier(20, random_state=0).fit(X, Y))
TREE = DecisionTreeClassifier(max_depth=4, random_state=0)


class Spy(ClassifierMixin, BaseEstimator):
    """Notes the rows that it is fitted on, and those that it labels."""

    fits, asked = [], []

    def fit(self, X, y, sample_weight=None):
        Spy.fits.append(X)
        self.model_ = GaussianNB().fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        Spy.asked.append(X)
        return self.model_.predict_proba(X)


@pytest.fixture(autouse=True)
def _forget():
    Spy.fits, Spy.asked = [], []


def distil(teacher=FOREST, student=TREE, X=X, y=Y, fit=VAL, **params):
    params = {"random_state": 0, "n_synthetic": 600, **params}
    return DistilledClassifier(teacher, student, **params).fit(X, y, **fit)


@pytest.mark.parametrize("n_rows", [600, 300])
def test_one_teacher_is_fitted_and_no_row_is_set_aside(n_rows):
    distilled = distil(Spy(), X=X[:n_rows], y=Y[:n_rows])
    (fitted,) = Spy.fits
    np.testing.assert_array_equal(fitted, X[:n_rows])
    assert len(distilled.pilots_) > 1
    # Training rows and validation rows are asked for once, the latter first.
    np.testing.assert_array_equal(Spy.asked[0], X_VAL)
    assert sum(np.array_equal(rows, X_VAL) for rows in Spy.asked) == 1
    assert sum(np.array_equal(rows, X[:n_rows]) for rows in Spy.asked) == 1


@pytest.mark.parametrize("kind", ["live", "frozen", "function", "stored"])
@pytest.mark.parametrize("weighted", [False, True])
def test_they_calibrate_every_teacher(kind, weighted):
    weight = np.random.default_rng(0).uniform(0.2, 3, len(X_VAL)) if weighted else None
    teacher, fit = FITTED, {**VAL, "sample_weight_val": weight}
    if kind == "live":
        teacher = FOREST
    elif kind == "function":
        teacher = FunctionClassifier(FITTED.predict_proba, [0, 1, 2])
    elif kind == "stored":
        fit["teacher_proba"] = FITTED.predict_proba(X)
    distilled = distil(teacher, augmenter=None, fit=fit)
    proba = clip(FITTED.predict_proba(X_VAL), Y)
    scalar, shift = fit_calibration(proba, Y_VAL, weight, np.bincount(Y))
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-4)
    np.testing.assert_allclose(distilled.calibration_shift_, shift, atol=1e-3)


@pytest.mark.parametrize("task", [DistilledClassifier, DistilledRegressor])
def test_one_row_of_a_fold_shows_no_memorization(task, recwarn):
    y = Y[:40] if task is DistilledClassifier else X[:40, 0]
    teacher = GaussianNB() if task is DistilledClassifier else LinearRegression()
    student = TREE if task is DistilledClassifier else DecisionTreeRegressor()
    est = task(teacher, student, cv=LeaveOneOut(), augmenter=None, alpha=1.0, pilot=0)
    assert est.fit(X[:40], y).memorization_ is None
    assert not [w for w in recwarn if "R^2" in str(w.message)]


def test_they_judge_the_candidates():
    distilled = distil(FITTED, pilot=5)
    direct = distilled.pilots_[-1]
    assert direct["learns from"] == "true labels"
    own = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, Y)
    assert direct["accuracy"] == pytest.approx(own.score(X_VAL, Y_VAL))
    floor = np.clip(own.predict_proba(X_VAL), np.finfo(float).eps, 1)
    assert direct["log_loss"] == pytest.approx(log_loss(Y_VAL, floor), rel=1e-6)


@pytest.mark.parametrize("teacher", [FOREST, FITTED])
def test_memorization_is_accuracy_on_them(teacher):
    found = distil(teacher, **PLAIN).memorization_
    assert found["accuracy_in_sample"] == FITTED.score(X, Y) > 0.99
    assert found["accuracy_out_of_fold"] == FITTED.score(X_VAL, Y_VAL) < 0.9


SHUFFLED = np.random.RandomState(0).permutation(Y_VAL)
NOISE = np.random.RandomState(0).randint(0, 3, 900)
FOREIGN = r"on X_val .* in y_val those of X_val"


@pytest.mark.parametrize("teacher", [FOREST, FITTED])
@pytest.mark.parametrize("params", [{}, PLAIN])
def test_labels_of_other_rows_are_named(teacher, params):
    fit = {**VAL, "y_val": SHUFFLED}
    with pytest.warns(UserWarning, match=FOREIGN) as caught:
        distil(teacher, fit=fit, **params)
    assert len(caught) == 1
    # The figures are scikit-learn's.
    for y, X_known in (Y, X), (SHUFFLED, X_VAL):
        assert f"accuracy {FITTED.score(X_known, y):.4f}" in str(caught[0].message)


def test_values_of_other_rows_are_named():
    y, y_val = X[:, :2] @ [3, 1], np.roll(X_VAL[:, :2] @ [3, 1], 1)
    distilled = DistilledRegressor(LinearRegression(), DecisionTreeRegressor())
    with pytest.warns(UserWarning, match=FOREIGN) as caught:
        distilled.fit(X, y, X_val=X_VAL, y_val=y_val)
    assert len(caught) == 1


def test_memorised_noise_is_named_once():
    fit = {"X_val": X_VAL, "y_val": NOISE[600:800]}
    with pytest.warns(UserWarning, match=FOREIGN) as caught:
        distil(y=NOISE[:600], fit=fit)
    assert len(caught) == 1


def test_a_sure_teacher_of_a_rare_class_is_not_accused():
    """It knows the class, though one answer for all rows is better."""
    rng = np.random.RandomState(0)
    risky = rng.rand(900) < 0.2
    y = (rng.rand(900) < np.where(risky, 0.3, 0.02)).astype(int)
    rows, y_val = np.c_[risky, ROWS], y[600:800]

    def be_sure(X):
        return np.where(X[:, :1] > 0, [0.01, 0.99], [0.99, 0.01])

    wrong = risky[600:800] != y_val
    assert wrong.mean() > 1.5 * y_val.mean()
    fit = {"X_val": rows[600:800], "y_val": y_val}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distil(
            FunctionClassifier(be_sure, [0, 1]),
            X=rows[:600],
            y=y[:600],
            fit=fit,
            **PLAIN,
        )
    assert not any("those of X_val" in str(found.message) for found in caught)


def take_side(n_rows, n_right):
    """Rows that are half of either side, of which so many have the label of theirs."""
    side = np.arange(n_rows) % 2
    return side[:, None] + 0.0, np.where(np.arange(n_rows) < n_right, side, 1 - side)


@pytest.mark.parametrize(
    ("known", "known_val", "accused"),
    # The correlation of labels, times the root of one row less, in standard errors:
    # 5.06 and 1.97; 4.89 and 1.97; 5.06 and 2.26.
    [(362, 114, True), (360, 114, False), (362, 116, False)],
)
def test_chance_and_knowledge_are_told_apart(known, known_val, accused):
    X_val, y_val = take_side(200, known_val)
    teacher = FunctionClassifier(
        lambda X: np.where(X > 0, [0.01, 0.99], [0.99, 0.01]), [0, 1]
    )
    X, y = take_side(600, known)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distil(teacher, X=X, y=y, fit={"X_val": X_val, "y_val": y_val}, **PLAIN)
    said = [str(warning.message) for warning in caught]
    assert any("those of X_val" in text for text in said) == accused


def test_a_teacher_without_an_advantage_is_named():
    dummy = FrozenEstimator(DummyClassifier().fit(X, Y))
    with pytest.warns(UserWarning, match=r"no better .* on 200 rows") as caught:
        distilled = distil(dummy, LogisticRegression())
    assert len(caught) == 1
    assert not distilled.distilled_


def test_weights_of_validation_rows_decide():
    """Rows of weight 0 are as if they were not there."""
    weight = np.r_[np.ones(100), np.zeros(100)]
    half = {"X_val": X_VAL[:100], "y_val": Y_VAL[:100]}
    part = distil(FITTED, fit=half, calibrate=False)
    weighted = {**VAL, "sample_weight_val": weight}
    whole = distil(FITTED, fit=weighted, calibrate=False)
    for one, other in zip(whole.pilots_, part.pilots_, strict=True):
        assert one["log_loss"] == pytest.approx(other["log_loss"])
        assert one["accuracy"] == pytest.approx(other["accuracy"])


def test_rows_without_a_weight_are_not_counted():
    weight = (np.arange(len(X_VAL)) % 5 == 0).astype(float)
    kept = {"X_val": X_VAL[weight > 0], "y_val": Y_VAL[weight > 0]}
    found = []
    for given in (kept, {**VAL, "sample_weight_val": weight}):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = distil(FITTED, augmenter=None, fit=given)
        said = [str(warning.message) for warning in caught]
        found.append((model.calibration_, str(model.calibration_shift_), said))
    assert found[0] == found[1]


def test_they_end_the_students_fit():
    student = MLPClassifier((4,), max_iter=3, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        student = distil(FITTED, student, temperature=1, **PLAIN).student_
    # Adam counts the rows that it has seen: none is set aside.
    assert student.t_ == student.n_iter_ * len(X)
    targets = clip(FITTED.predict_proba(X_VAL), Y)
    losses = -(targets * np.log(student.predict_proba(X_VAL))).sum(axis=1)
    assert student.best_validation_score_ == pytest.approx(-losses.mean(), rel=1e-4)


def test_they_decide_on_fine_tuning():
    net = MLPClassifier((4,), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = distil(FITTED, net, **PLAIN)
        tuned = distil(FITTED, net, fine_tune=2, **PLAIN)
    expected = log_loss(Y_VAL, plain.predict_proba(X_VAL))
    assert tuned.fine_tune_["before"] == pytest.approx(expected, rel=1e-6)


def test_out_of_fold_labels_are_learned_and_they_calibrate():
    rows, held_out = add_numbers(X), np.column_stack([X_VAL, np.full(200, 600)])
    cv = KFold(3)
    distilled = distil(
        FOREST,
        Table(),
        X=rows,
        fit={"X_val": held_out, "y_val": Y_VAL},
        cv=cv,
        augmenter=None,
        alpha=1.0,
    )
    labels = cross_val_predict(FOREST, rows, Y, cv=cv, method="predict_proba")
    whole = RandomForestClassifier(20, random_state=0).fit(rows, Y)
    scalar, _ = fit_calibration(
        clip(whole.predict_proba(held_out), Y), Y_VAL, None, np.bincount(Y)
    )
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-4)
    logits = np.log(clip(labels, Y)) / distilled.calibration_
    expected = np.exp(logits + distilled.calibration_shift_)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(distilled.predict_proba(rows), expected, atol=1e-10)


def test_a_fixed_teacher_without_them_is_judged_by_rows_it_knows():
    def count(**params):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            distil(FITTED, LogisticRegression(), **params)
        said = [str(warning.message) for warning in caught]
        return sum("Pass X_val and y_val" in text for text in said)

    assert count(fit={}) == 1
    assert count(fit={}, X=X[:300], y=Y[:300]) == 1
    assert count() == 0
    # Nothing is left to judge.
    assert count(fit={}, augmenter="munge") == 0


def test_few_of_them_decide_nothing():
    few = {"X_val": X_VAL[:30], "y_val": Y_VAL[:30]}
    with pytest.warns(UserWarning, match="X_val has 30 rows, too few"):
        distilled = distil(FITTED, fit=few)
    assert distilled.pilots_ == []
    assert distilled.calibration_ is None
    assert distilled.memorization_ is not None


def test_a_class_that_they_lack_is_named():
    rows = Y_VAL != 2
    with pytest.warns(UserWarning, match=r"classes \[2\] is.* rows of X_val"):
        distilled = distil(
            FITTED, augmenter=None, fit={"X_val": X_VAL[rows], "y_val": Y_VAL[rows]}
        )
    assert distilled.calibration_ is None


@pytest.mark.parametrize("kind", ["frame", "sparse", "mapped", "mapped beside"])
def test_they_come_in_the_container_of_the_rows(kind, tmp_path):
    plain = distil(FOREST, alpha=1.0)
    if kind.startswith("mapped"):
        # joblib maps large arrays for the workers of a search, and small ones not.
        np.save(tmp_path / "rows.npy", X_VAL)
        tables = [X, np.load(tmp_path / "rows.npy", mmap_mode="r")]
        if kind == "mapped":
            np.save(tmp_path / "X.npy", X)
            tables[0] = np.load(tmp_path / "X.npy", mmap_mode="r")
    elif kind == "frame":
        names = list("abcdef")
        tables = [pd.DataFrame(rows, columns=names) for rows in (X, X_VAL)]
    else:
        sparse = pytest.importorskip("scipy.sparse")
        tables = [sparse.csr_array(rows) for rows in (X, X_VAL)]
    fit = {"X_val": tables[1], "y_val": Y_VAL}
    found = distil(FOREST, X=tables[0], fit=fit, alpha=1.0)
    assert len(found.pilots_) == len(plain.pilots_)
    assert found.calibration_ == pytest.approx(plain.calibration_, rel=1e-2)


def test_raw_validation_rows_beside_standardised_ones_are_named():
    scaler = StandardScaler().fit(50 + 10 * X)
    rows, raw = scaler.transform(50 + 10 * X), 50 + 10 * X_VAL
    teacher = FrozenEstimator(GaussianNB().fit(rows, Y))
    with pytest.warns(UserWarning, match="6 columns are standardised in X") as caught:
        distil(teacher, X=rows, fit={"X_val": raw, "y_val": Y_VAL}, **PLAIN)
    assert 'transform_input=["X_val"]' in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The teacher is no better")
        fit = {"X_val": scaler.transform(raw), "y_val": Y_VAL}
        distil(teacher, X=rows, fit=fit, **PLAIN)


@pytest.mark.parametrize("routed", [False, True])
def test_they_pass_whole_through_a_search(routed):
    with sklearn.config_context(enable_metadata_routing=routed):
        distilled = DistilledClassifier(Spy(), TREE, random_state=0, **PLAIN)
        if routed:
            distilled.set_fit_request(X_val=True, y_val=True)
        search = GridSearchCV(distilled, {"student__max_depth": [2]}, cv=2)
        search.fit(X, Y, **VAL)
    assert len(Spy.fits) == 3
    assert sum(np.array_equal(rows, X_VAL) for rows in Spy.asked) == 3
    model = search.best_estimator_
    expected = GaussianNB().fit(X, Y).score(X_VAL, Y_VAL)
    assert model.memorization_["accuracy_out_of_fold"] == expected


def test_the_guides_pipeline_transforms_them():
    page = Path(__file__).parents[2] / "docs" / "guide" / "choosing.md"
    text = page.read_text(encoding="utf-8")
    code = re.search(r"<!-- validation-rows -->\n```python\n(.*?)```", text, re.S)[1]
    rows, raw = StandardScaler().fit_transform(X), ROWS[800:]
    given = {"fitted": Spy().fit(rows, Y), "X_train": X, "y_train": Y, "U": raw}
    given |= {kind.__name__: kind for kind in (FrozenEstimator, StandardScaler)}
    given |= {"Pipeline": Pipeline, "sklearn": sklearn, "tree": TREE}
    given["DistilledClassifier"] = partial(
        DistilledClassifier, student=TREE, n_synthetic=50, random_state=0
    )
    with sklearn.config_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given |= VAL
        exec(code, given)
    scaler, asked = StandardScaler().fit(X), np.concatenate(Spy.asked)
    for table in (X_VAL, raw):
        scaled = scaler.transform(table)
        assert (asked[:, None] == scaled).all(axis=2).any(axis=0).all()
    found = given["pipeline"][-1].memorization_["accuracy_out_of_fold"]
    assert found == given["fitted"].model_.score(scaler.transform(X_VAL), Y_VAL)
