"""What every family of students promises: one row a family."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from _nets import Net
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    SGDClassifier,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from skorch import NeuralNetClassifier

from skdistill import DistilledClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Family(NamedTuple):
    """A student, and what its family can do.

    `scales`: the numbers of classes for which temperatures other than 1 can be served.
    `stopping`: the parameters of early stopping.
    """

    make: Any
    scales: tuple[int, ...] = ()
    fine_tunes: bool = False
    stopping: dict[str, Any] | None = None


def make_net(n_classes):
    return NeuralNetClassifier(
        Net,
        module__n_classes=n_classes,
        module__dtype=torch.float64,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.05,
        max_epochs=15,
        batch_size=50,
        train_split=None,
        verbose=0,
    )


def make_xgboost(n_classes):
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=10, max_depth=2, n_jobs=1)


def make_catboost(n_classes):
    catboost = pytest.importorskip("catboost")
    return catboost.CatBoostClassifier(
        iterations=15, depth=2, verbose=0, thread_count=1, allow_writing_files=False
    )


def have(student):
    return lambda n_classes: clone(student)


TREE = DecisionTreeClassifier(max_depth=3)
FAMILIES = {
    "mlp": Family(
        have(MLPClassifier((8,), max_iter=60, learning_rate_init=0.02)),
        scales=(2, 3),
        fine_tunes=True,
        stopping={"early_stopping": True, "n_iter_no_change": 2, "tol": 0.02},
    ),
    "mlp-lbfgs": Family(
        have(MLPClassifier((8,), solver="lbfgs", max_iter=30, alpha=0.1)),
        scales=(2, 3),
    ),
    "skorch": Family(make_net, scales=(2, 3), fine_tunes=True),
    "logistic": Family(have(LogisticRegression()), scales=(2, 3)),
    "logistic-saga": Family(have(LogisticRegression(solver="saga")), scales=(2, 3)),
    "sgd": Family(
        have(SGDClassifier(loss="log_loss", alpha=0.01)),
        scales=(2,),
        fine_tunes=True,
        stopping={"early_stopping": True, "n_iter_no_change": 2, "tol": 0.02},
    ),
    "lightgbm": Family(
        have(
            LGBMClassifier(n_estimators=15, min_child_samples=5, n_jobs=1, verbose=-1)
        ),
        scales=(2, 3),
        fine_tunes=True,
        stopping={"early_stopping_round": 2, "n_estimators": 300},
    ),
    "xgboost": Family(
        make_xgboost,
        scales=(2, 3),
        fine_tunes=True,
        stopping={"early_stopping_rounds": 2, "n_estimators": 300},
    ),
    "catboost": Family(
        make_catboost,
        fine_tunes=True,
        stopping={"early_stopping_rounds": 2, "iterations": 300},
    ),
    "tree": Family(have(TREE)),
    "random-tree": Family(have(ExtraTreeClassifier(max_depth=4))),
    "entropy-forest": Family(
        have(RandomForestClassifier(5, max_depth=3, criterion="entropy"))
    ),
    "entropy-tree": Family(
        have(DecisionTreeClassifier(max_depth=3, criterion="entropy"))
    ),
    "forest": Family(have(RandomForestClassifier(10, max_depth=4))),
    "random-forest": Family(have(ExtraTreesClassifier(10, max_depth=5))),
    "hist": Family(
        have(HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5)),
        fine_tunes=True,
        stopping={"early_stopping": True, "n_iter_no_change": 2, "max_iter": 300},
    ),
    "gradient-boosting": Family(
        have(GradientBoostingClassifier(n_estimators=10)),
        stopping={"n_iter_no_change": 2, "n_estimators": 300},
    ),
    "vote": Family(
        have(VotingClassifier([("t", TREE), ("b", GaussianNB())], voting="soft"))
    ),
    "stack": Family(have(StackingClassifier([("t", TREE), ("b", GaussianNB())], cv=3))),
    "bag": Family(have(BaggingClassifier(TREE, 5))),
    "rest": Family(have(OneVsRestClassifier(LogisticRegression()))),
    "search": Family(
        have(GridSearchCV(TREE, {"max_depth": [1, 3]}, scoring="neg_log_loss", cv=3))
    ),
    "calibrated": Family(have(CalibratedClassifierCV(GaussianNB(), cv=3))),
    "path": Family(
        have(
            LogisticRegressionCV(
                Cs=3,
                cv=3,
                scoring="neg_log_loss",
                l1_ratios=(0,),
                use_legacy_attributes=False,
            )
        )
    ),
    "bayes": Family(have(GaussianNB())),
    "ada-boost": Family(have(AdaBoostClassifier(TREE, n_estimators=5))),
}

every = pytest.mark.parametrize("name", FAMILIES)
classes = pytest.mark.parametrize("n_classes", [2, 3])


@cache
def draw(n_classes):
    """Training rows, others, and a teacher of all of them."""
    X, y = make_classification(
        800, 4, n_informative=4, n_redundant=0, n_classes=n_classes,
        n_clusters_per_class=1, class_sep=0.6, random_state=0,
    )  # fmt: skip
    teacher = make_pipeline(PolynomialFeatures(2), LogisticRegression(C=0.1))
    return X, y, FrozenEstimator(teacher.fit(X, y))


def distil(name, n_classes, rows=None, student_params=None, fit_params=None, **params):
    X, y, teacher = draw(n_classes)
    rows = slice(0, 150) if rows is None else rows
    student = FAMILIES[name].make(n_classes).set_params(**student_params or {})
    given = {"temperature": 1, "augmenter": None, "random_state": 0} | params
    model = DistilledClassifier(teacher, student, **given)
    return model.fit(X[rows], y[rows], **fit_params or {})


@cache
def distil_once(name, n_classes):
    return distil(name, n_classes)


def measure(model, rows, weight=None):
    """Cross-entropy of a student with its teacher."""
    X, _, teacher = draw(len(model.classes_))
    target, proba = teacher.predict_proba(X[rows]), model.predict_proba(X[rows])
    losses = -(target * np.log(np.maximum(proba, 1e-6))).sum(axis=1)
    return np.average(losses, weights=weight)


@every
@classes
def test_a_student_learns_probabilities(name, n_classes):
    """Better than the mean of the targets does."""
    model = distil_once(name, n_classes)
    X, _, teacher = draw(n_classes)
    rows = slice(0, 150)
    prior = teacher.predict_proba(X[rows]).mean(axis=0)
    proba = model.predict_proba(X[rows])
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert measure(model, rows) < -prior @ np.log(prior) - 0.05
    likely = model.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X[rows]), likely)


@every
@classes
def test_weights_reach_the_student(name, n_classes):
    weight = np.where(draw(n_classes)[0][:150, 0] > 0, 5.0, 0.05)
    model = distil(name, n_classes, fit_params={"sample_weight": weight})
    plain, rows = distil_once(name, n_classes), slice(0, 150)
    X, _, _ = draw(n_classes)
    assert np.abs(model.predict_proba(X) - plain.predict_proba(X)).max() > 0.01
    # The others minimise another loss.
    if name not in ("bayes", "ada-boost"):
        assert measure(model, rows, weight) < measure(plain, rows, weight)


@every
@classes
def test_a_transfer_set_is_learned(name, n_classes):
    """The labelled rows are of one half of the space, where others are served."""
    X, _, _ = draw(n_classes)
    left, right = np.flatnonzero(X[:600, 0] < 0)[:100], np.flatnonzero(X[:, 0] > 0.5)
    few = distil(name, n_classes, left)
    more = distil(name, n_classes, left, fit_params={"X_unlabeled": X[:600]})
    assert measure(more, right) < measure(few, right)


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.stopping])
@classes
def test_a_student_stops_on_validation_rows(name, n_classes):
    model = distil(name, n_classes, student_params=FAMILIES[name].stopping)
    student = model.student_
    rounds = {
        "lightgbm": lambda: student.best_iteration_,
        "xgboost": lambda: student.best_iteration,
        "catboost": lambda: student.tree_count_,
        "gradient-boosting": lambda: student.n_estimators_,
    }.get(name, lambda: student.n_iter_)()
    params = student.get_params()
    most = params.get("max_iter") or params.get("n_estimators") or params["iterations"]
    assert 0 < rounds < most
    for key, value in FAMILIES[name].stopping.items():
        assert params[key] == value


@every
@classes
def test_temperatures_are_served_or_refused(name, n_classes):
    """At temperature 2, a student that fits its targets serves them unsoftened."""
    if n_classes not in FAMILIES[name].scales:
        with pytest.raises(ValueError, match="Set temperature=1"):
            distil(name, n_classes, temperature=2)
        return
    model = distil(name, n_classes, temperature=2)
    assert model.temperature_ == 2
    plain, rows = distil_once(name, n_classes), slice(0, 150)
    assert measure(model, rows) == pytest.approx(measure(plain, rows), abs=0.1)
    X, _, _ = draw(n_classes)
    np.testing.assert_array_equal(
        model.student_.predict_proba(X), model.predict_proba(X)
    )


@every
@classes
def test_students_are_fine_tuned_or_refused(name, n_classes):
    if not FAMILIES[name].fine_tunes:
        with pytest.raises(TypeError, match="Set fine_tune=0"):
            distil(name, n_classes, fine_tune=2)
        return
    model = distil(name, n_classes, fine_tune=2)
    X, y, _ = draw(n_classes)
    assert log_loss(y, model.predict_proba(X)) < np.log(n_classes)


@every
@classes
def test_what_is_fitted_is_stock(name, n_classes):
    model = distil_once(name, n_classes)
    student, given = model.student_, model.student
    assert type(student) is type(given)
    assert student.get_params().keys() == given.get_params().keys()
    dumped = pickle.dumps(student)
    assert b"skdistill" not in dumped
    X, _, _ = draw(n_classes)
    np.testing.assert_array_equal(
        pickle.loads(dumped).predict_proba(X), model.predict_proba(X)
    )
    assert type(clone(student)) is type(given)


@every
@classes
def test_nothing_deprecated_is_used(name, n_classes):
    X, _, _ = draw(n_classes)
    given = {"augmenter": "munge", "n_synthetic": 50}
    given["student_params"] = FAMILIES[name].stopping
    given["fit_params"] = {"sample_weight": np.ones(150)}
    with warnings.catch_warnings():
        for kind in (FutureWarning, DeprecationWarning, PendingDeprecationWarning):
            warnings.filterwarnings("error", category=kind, module=r"sklearn|skdistill")
            warnings.filterwarnings("error", ".*scikit-learn|.*sklearn", kind)
        model = distil(name, n_classes, **given)
        model.predict_proba(X)
        model.predict(X)


@pytest.mark.parametrize("name", ["skorch", "stack"])
def test_threads_are_served_alike(name):
    """Many threads ask for different rows at once; `test_concurrency` has others."""
    model = distil_once(name, 3)
    X, _, _ = draw(3)
    parts = np.array_split(np.arange(len(X)), 40)
    serial = [model.predict_proba(X[rows]) for rows in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda rows: model.predict_proba(X[rows]), parts))
    for mine, theirs in zip(together, serial, strict=True):
        np.testing.assert_array_equal(mine, theirs)
