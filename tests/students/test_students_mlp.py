"""Networks on a transfer set, by chunks, and in `partial_fit` after their fit."""

import math

import numpy as np
import pytest
from _learners import SoftDataset, SoftStream, fine_tune, fit_student
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(n_samples):
    """Rows with certain targets, so that the stock fit is the oracle."""
    rng = np.random.RandomState(n_samples)
    X = rng.normal(size=(n_samples, 4))
    y = (X @ rng.normal(size=(4, 3))).argmax(axis=1)
    return SoftDataset(X, np.eye(3)[y], np.arange(3), y)


def make_net(**params):
    """Rows in order: `fit` would shuffle them anew from the order of the last epoch."""
    given = {"max_iter": 5, "shuffle": False, "random_state": 0} | params
    return MLPClassifier((6,), **given)


def join(*parts):
    return tuple(np.concatenate([getattr(d, n) for d in parts]) for n in ("X", "y"))


def assert_same_weights(one, other, atol=0.0):
    for mine, theirs in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("rate", "highest"), [(1e-3, 4e-3), (2e-4, 8e-4), (0.01, 0.01)]
)
def test_the_learning_rate_of_adam_falls_on_a_transfer_set(rate, highest):
    """From four times its start value, at most .004, along half a cosine."""
    train, transfer = draw(100), draw(700)
    net = fit_student(make_net(learning_rate_init=rate), train, transfer)
    X, y = join(train, transfer)
    oracle = make_net(learning_rate_init=highest)
    for epoch in range(5):
        if epoch:
            fallen = highest * 0.5 * (1 + math.cos(math.pi * epoch / 5))
            oracle._optimizer.learning_rate_init = fallen
        oracle.partial_fit(X, y, classes=np.arange(3))
    # A transfer set is learned in single precision.
    assert_same_weights(net, oracle, atol=1e-5)
    assert net._optimizer.learning_rate_init == net.learning_rate_init == rate


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_other_solvers_learn_a_transfer_set_as_they_learn_rows(solver):
    train, transfer = draw(100), draw(700)
    net = make_net(solver=solver)
    stock = clone(net).fit(*join(train, transfer))
    assert_same_weights(fit_student(net, train, transfer), stock, atol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_one_buffer_is_the_whole(solver):
    train, transfer = draw(100), draw(700)
    whole = fit_student(make_net(solver=solver), train, transfer)
    chunked = fit_student(make_net(solver=solver), train, SoftStream([transfer]))
    assert_same_weights(chunked, whole)


@pytest.mark.parametrize(
    ("solver", "in_buffers"), [("adam", True), ("sgd", True), ("lbfgs", False)]
)
def test_solvers_with_epochs_learn_buffers(solver, in_buffers, small_blocks):
    """Batches are then made of the rows of a buffer; L-BFGS takes all rows at once."""
    train, transfer = draw(100), draw(2000)
    whole = fit_student(make_net(solver=solver), train, transfer)
    chunked = fit_student(make_net(solver=solver), train, SoftStream([transfer]))
    same = np.array_equal(whole.coefs_[0], chunked.coefs_[0])
    assert same is not in_buffers


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("tuned", [False, True])
def test_students_go_on_by_partial_fit(stops, tuned):
    train = draw(100)
    net = make_net(early_stopping=stops)
    net = fit_student(net, train, validation=draw(50) if stops else None)
    if tuned:
        net = fine_tune(net, train, 2)
    before = net.coefs_[0].copy()
    net.set_params(early_stopping=False).partial_fit(train.X, train.y)
    assert not np.array_equal(net.coefs_[0], before)


def test_fine_tuning_keeps_what_the_stock_fit_leaves():
    """A stock network that stopped early has no best loss."""
    train = draw(100)
    stopped = make_net(early_stopping=True).fit(train.X, train.y)
    assert fine_tune(stopped, train, 2).best_loss_ is stopped.best_loss_ is None
    plain = make_net().fit(train.X, train.y)
    assert fine_tune(plain, train, 2).best_loss_ < np.inf
