"""Linear students and networks on soft targets, against scikit-learn on hard ones."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from _core import soften
from _learners import (
    SoftDataset,
    cross_entropy,
    fit_copies,
    fit_student,
    make_soft,
    move_sgd,
)
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier

from skdistill._students._weighted_copies import keep_best_epoch

# Logistic regression


SMOOTH = {
    "default": {},
    "weak": {"C": 100.0},
    "no penalty": {"C": np.inf},
    "no intercept": {"fit_intercept": False},
    "penalty=l2": {"penalty": "l2", "C": 0.5},
    "penalty=None": {"penalty": None},
    "l1_ratio=None": {"l1_ratio": None},
}


def make_logistic(name):
    return LogisticRegression(tol=1e-9, max_iter=5000, **SMOOTH[name])


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
def test_logistic_on_one_hot_targets_is_the_stock_fit(name, weighted, n_classes):
    hard = make_soft(n_classes=n_classes, weighted=weighted).harden()
    if name in ("no penalty", "penalty=None"):
        # Classes that lines can separate have no unpenalised optimum.
        hard.y[:60] = hard.classes[(hard.codes[:60] + 1) % n_classes]
        hard = hard.harden()
    ours = fit_student(make_logistic(name), hard)
    stock = make_logistic(name).fit(hard.X, hard.y, sample_weight=hard.weight)
    np.testing.assert_allclose(
        ours.predict_proba(hard.X), stock.predict_proba(hard.X), atol=1e-6
    )
    np.testing.assert_allclose(ours.coef_, stock.coef_, rtol=1e-3, atol=1e-4)
    assert set(vars(ours)) == set(vars(stock))
    for attribute in ("coef_", "intercept_", "classes_", "n_iter_"):
        mine, theirs = getattr(ours, attribute), getattr(stock, attribute)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
def test_logistic_equals_weighted_copies(name, weighted, n_classes):
    data = make_soft(n_classes=n_classes, weighted=weighted)
    ours = fit_student(make_logistic(name), data)
    copies = fit_copies(make_logistic(name), data)
    np.testing.assert_allclose(
        ours.predict_proba(data.X), copies.predict_proba(data.X), atol=1e-6
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_takes_sparse_rows(n_classes):
    data = make_soft(n_classes=n_classes)
    student = LogisticRegression(tol=1e-8, max_iter=1000)
    dense = fit_student(clone(student), data)
    sparse = fit_student(clone(student), data.with_rows(csr_array(data.X)))
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", [LogisticRegression, SGDClassifier])
def test_linear_students_keep_float32(kind, n_classes):
    data = make_soft(n_classes=n_classes)
    student = kind() if kind is LogisticRegression else kind(loss="log_loss")
    narrow = data.with_rows(data.X.astype(np.float32))
    temperature = 2.0 if kind is LogisticRegression or n_classes == 2 else 1.0
    fitted = fit_student(student, replace(narrow, temperature=temperature))
    stock = clone(student).fit(narrow.X, narrow.y)
    assert fitted.coef_.dtype == stock.coef_.dtype == np.float32
    # SGD keeps a wide intercept of two classes, on hard labels too.
    assert fitted.intercept_.dtype == stock.intercept_.dtype
    if kind is LogisticRegression:
        assert fitted.predict_proba(narrow.X).dtype == np.float32
        wide = fit_student(LogisticRegression(), replace(data, temperature=temperature))
        np.testing.assert_allclose(fitted.coef_, wide.coef_, atol=2e-3)


@pytest.mark.parametrize(
    "student", [LogisticRegression(), SGDClassifier(loss="log_loss")]
)
def test_linear_students_know_the_names_of_columns(student):
    data = make_soft()
    named = data.with_rows(pd.DataFrame(data.X, columns=list("wxyz")))
    fitted = fit_student(clone(student), named)
    assert fitted.feature_names_in_.tolist() == list("wxyz")
    assert fitted.n_features_in_ == 4
    assert not hasattr(fit_student(clone(student), data), "feature_names_in_")


@pytest.mark.parametrize(
    "student",
    [
        LogisticRegression(solver="newton-cholesky"),
        LogisticRegression(solver="saga", l1_ratio=1, random_state=0, max_iter=1000),
        LogisticRegression(
            solver="saga", l1_ratio=0.5, random_state=0, max_iter=1000, tol=1e-3
        ),
        LogisticRegression(warm_start=True),
    ],
)
def test_other_logistic_settings_go_through_copies(student):
    data = make_soft(weighted=True)
    ours = fit_student(clone(student), data)
    copies = fit_copies(student, data, rescale=True)
    np.testing.assert_array_equal(ours.coef_, copies.coef_)


@pytest.mark.parametrize(
    "student", [LogisticRegression(), SGDClassifier(loss="log_loss", random_state=0)]
)
def test_fewer_rows_than_classes(student):
    data = make_soft(n_samples=4, n_classes=5)
    ours = fit_student(clone(student), data)
    copies = fit_copies(student, data, rescale=True)
    np.testing.assert_array_equal(ours.coef_, copies.coef_)


def test_sgd_takes_metadata_of_its_own():
    data = make_soft(n_classes=2)
    start = {"coef_init": np.full((1, 4), 1e3), "intercept_init": np.zeros(1)}
    routed = SoftDataset(data.X, data.targets, data.classes, data.y, params=start)
    sgd = make_sgd("constant", max_iter=1, tol=None)
    # One pass does not bring back weights that start so far off.
    assert fit_student(clone(sgd), routed).coef_.min() > 500
    assert fit_student(clone(sgd), data).coef_.max() < 5


def test_bad_logistic_parameters_and_rows_are_named_by_sklearn():
    data = make_soft()
    with pytest.raises(ValueError, match="'C' parameter of LogisticRegression"):
        fit_student(LogisticRegression(C=-1), data)
    holes = data.X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(ValueError, match="LogisticRegression does not accept missing"):
        fit_student(LogisticRegression(), data.with_rows(holes))


def test_logistic_that_has_not_converged_warns_the_caller():
    data = make_soft()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit_student(LogisticRegression(max_iter=2), data)
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    assert "after 2 iteration" in str(warning.message)
    assert warning.filename == __file__
    assert fitted.n_iter_.tolist() == [2]


# Stochastic gradient descent


SGD = {
    "optimal": {},
    "l1": {"penalty": "l1"},
    "elasticnet": {"penalty": "elasticnet", "alpha": 1e-3},
    "constant": {"learning_rate": "constant", "eta0": 0.05},
    "invscaling": {"learning_rate": "invscaling", "eta0": 0.1},
    "adaptive": {"learning_rate": "adaptive", "eta0": 0.1},
    "average": {"average": True},
    "average-late": {"average": 500},
    "no-intercept": {"fit_intercept": False},
    "threads": {"n_jobs": 2},
}


def make_sgd(name, **kwargs):
    return SGDClassifier(loss="log_loss", random_state=3, **SGD[name], **kwargs)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("container", [np.asarray, csr_array, np.float32])
@pytest.mark.parametrize("name", SGD)
def test_sgd_on_one_hot_targets_is_the_stock_fit(name, container, n_classes):
    """Byte for byte: the same updates in the same order."""
    hard = make_soft(n_classes=n_classes, weighted=True).harden()
    hard = hard.with_rows(container(hard.X))
    ours = fit_student(make_sgd(name), hard)
    stock = make_sgd(name).fit(hard.X, hard.y, sample_weight=hard.weight)
    np.testing.assert_array_equal(ours.coef_, stock.coef_)
    np.testing.assert_array_equal(ours.intercept_, stock.intercept_)
    assert (ours.n_iter_, ours.t_) == (stock.n_iter_, stock.t_)
    assert type(ours) is SGDClassifier
    assert set(vars(ours)) == set(vars(stock))
    ours.partial_fit(hard.X, hard.y)
    stock.partial_fit(hard.X, hard.y)
    np.testing.assert_array_equal(ours.coef_, stock.coef_)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sgd_comes_to_the_exact_minimum(n_classes):
    """Each class against the rest is a logistic regression on its probability."""
    data = make_soft(n_classes=n_classes, weighted=True)
    alpha = 0.01
    sgd = SGDClassifier(loss="log_loss", alpha=alpha, random_state=0, tol=1e-9)
    sgd = fit_student(sgd.set_params(max_iter=3000, n_iter_no_change=50), data)
    for row, k in enumerate([1] if n_classes == 2 else range(n_classes)):
        pair = np.column_stack([1 - data.targets[:, k], data.targets[:, k]])
        binary = SoftDataset(data.X, pair, np.arange(2), pair.argmax(1), data.weight)
        exact = LogisticRegression(C=1 / (alpha * 120), tol=1e-9, max_iter=1000)
        exact = fit_copies(exact, binary)
        np.testing.assert_allclose(sgd.coef_[row], exact.coef_[0], atol=0.02)


def test_sgd_where_private_names_moved(request, monkeypatch):
    move_sgd(request, monkeypatch)
    data = make_soft(weighted=True)
    ours = fit_student(make_sgd("optimal"), data)
    copies = fit_copies(make_sgd("optimal"), data, rescale=True)
    np.testing.assert_array_equal(ours.coef_, copies.coef_)


def test_sgd_with_other_losses_goes_through_copies():
    data = make_soft()
    sgd = SGDClassifier(loss="modified_huber", random_state=0)
    ours = fit_student(clone(sgd), data)
    copies = fit_copies(sgd, data, rescale=True)
    np.testing.assert_array_equal(ours.coef_, copies.coef_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["optimal", "adaptive", "average"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sgd_stops_early_on_rows_of_its_own(name, n_classes):
    data = make_soft(n_samples=300, n_classes=n_classes)
    train, held_out = data.take(np.arange(240)), data.take(np.arange(240, 300))
    sgd = make_sgd(name, early_stopping=True, max_iter=500, tol=0.01)
    fitted = fit_student(clone(sgd), train, validation=held_out)
    assert fitted.get_params() == sgd.get_params()
    assert 5 < fitted.n_iter_ < 500
    again = fit_student(clone(sgd), train, validation=held_out)
    np.testing.assert_array_equal(fitted.coef_, again.coef_)
    base = fit_student(clone(sgd).set_params(early_stopping=False, max_iter=1), train)
    losses = [
        cross_entropy(held_out.targets, s.predict_proba(held_out.X))
        for s in (fitted, base)
    ]
    assert losses[0] < losses[1]


class Scripted:
    """Predicts the next of the given probabilities after each pass."""

    def __init__(self, script, **params):
        self.script = script
        self.params = {"random_state": 0, "early_stopping": True, "tol": 1e-3, **params}
        self.n_passes = 0

    def get_params(self, deep=True):
        return self.params

    def set_params(self, **params):
        self.params = {**self.params, **params}
        return self

    @property
    def eta0(self):
        return self.params["eta0"]

    def predict_proba(self, X):
        p = self.script[min(self.n_passes, len(self.script)) - 1]
        return np.tile([p, 1 - p], (len(X), 1))


def run_script(script, **params):
    student, rates = Scripted(script, **params), []

    def run_pass(student):
        student.n_passes += 1
        rates.append(student.params.get("eta0"))

    data = SoftDataset(np.zeros((3, 1)), np.eye(2)[[0] * 3], np.arange(2), np.zeros(3))
    return keep_best_epoch(student, run_pass, data), rates


def test_the_best_pass_is_kept():
    script = [0.2, 0.5, 0.6, 0.55, 0.6005, 0.59, 0.9]
    best, rates = run_script(script, max_iter=50, n_iter_no_change=2)
    # Pass 5 is a little better than pass 3, by less than tol: it is kept, and waits.
    assert best.n_passes == 5
    assert best.n_iter_ == len(rates) == 6
    assert best.params["early_stopping"] is True
    assert best.params["random_state"] == 0


def test_without_a_tolerance_all_epochs_are_made():
    """As SGDClassifier's own early stopping makes them; the best one is kept."""
    script = [0.2, 0.5, 0.6, 0.3]
    own = {"max_iter": 20, "n_iter_no_change": 2, "tol": None}
    best, rates = run_script(script, **own)
    X, y = load_iris(return_X_y=True)
    stock = SGDClassifier(early_stopping=True, random_state=0, **own).fit(X, y)
    assert best.n_passes == 3
    assert best.n_iter_ == len(rates) == stock.n_iter_ == 20


def test_an_adaptive_rate_is_lowered_before_stopping():
    params = {"n_iter_no_change": 1, "learning_rate": "adaptive", "eta0": 1e-4}
    best, rates = run_script([0.5], max_iter=50, **params)
    expected = [1e-4, 1e-4, 1e-4, 2e-5, 2e-5, 4e-6, 4e-6, 8e-7, 8e-7]
    np.testing.assert_allclose(rates, expected)
    assert best.eta0 == 1e-4


@pytest.mark.parametrize("average", [False, True])
def test_folded_sgd_goes_on_from_what_it_serves(average):
    data = make_soft(n_classes=2)
    sgd = SGDClassifier(loss="log_loss", random_state=0, average=average)
    plain = fit_student(clone(sgd), data).predict_proba(data.X)
    folded = fit_student(clone(sgd), replace(data, temperature=3.0))
    served = folded.predict_proba(data.X)
    np.testing.assert_allclose(served, soften(plain, 1 / 3), atol=1e-12)
    # Each update moves a weight by less than rate * |x|.
    folded.set_params(learning_rate="constant", eta0=1e-9)
    folded.partial_fit(data.X, data.y)
    np.testing.assert_allclose(folded.predict_proba(data.X), served, atol=1e-6)


# Networks

LONG = {"solver": "sgd", "max_iter": 40}
# A rate that is lowered whenever a loss is not far below the last, until it is tiny.
FALLS = {**LONG, "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1}
NETWORKS = {
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
    "adam": {"solver": "adam"},
    "slow adam": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1},
    "constant": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "momentum": 0.5, "nesterovs_momentum": False},
    "batches": {"solver": "sgd", "batch_size": 7, "shuffle": False, "alpha": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.1},
    "adaptive": {**LONG, "learning_rate": "adaptive"},
    "falling": FALLS,
    "tiny": {**FALLS, "learning_rate_init": 1e-6},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_solver_on_one_hot_targets_is_the_stock_fit(name, warm_start, n_classes):
    hard = make_soft(n_classes=n_classes, weighted=True).harden()
    settings = {"max_iter": 12, "learning_rate_init": 0.02, **NETWORKS[name]}
    mlp = MLPClassifier((5,), random_state=0, warm_start=warm_start, **settings)
    ours = fit_student(clone(mlp), hard)
    stock = clone(mlp).fit(hard.X, hard.y, sample_weight=hard.weight)
    for mine, theirs in zip(ours.coefs_, stock.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)
    assert ours.n_iter_ == stock.n_iter_
    # The positions by which its L-BFGS cuts its own vector.
    own = {"_coef_indptr", "_intercept_indptr"}
    assert set(vars(ours)) == set(vars(stock)) - own


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_keep_float32(name):
    data = make_soft()
    narrow = data.with_rows(data.X.astype(np.float32))
    mlp = MLPClassifier((5,), max_iter=3, random_state=0).set_params(**NETWORKS[name])
    fitted = fit_student(mlp, replace(narrow, temperature=3.0))
    assert {c.dtype.name for c in fitted.coefs_ + fitted.intercepts_} == {"float32"}
    assert fitted.predict_proba(narrow.X).dtype == np.float32
