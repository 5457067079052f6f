"""Further epochs on the true labels: who can, how far, and which result is kept."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from _learners import SoftDataset, fit_student, hold_out, make_soft
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill._students._fit_student import fine_tune_student

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make_parts(**kwargs):
    """Training and validation rows whose labels say more than their targets."""
    data = make_soft(n_samples=300, **kwargs)
    blurred = 0.5 * data.targets + 0.5 / len(data.classes)
    return hold_out(replace(data, targets=blurred))


def make_mlp(**kwargs):
    return MLPClassifier((8,), max_iter=30, random_state=0, **kwargs)


def make_sgd(**kwargs):
    return SGDClassifier(loss="log_loss", max_iter=20, random_state=0, **kwargs)


TUNABLE = {
    "adam": make_mlp(learning_rate_init=0.02),
    "sgd-net": make_mlp(solver="sgd", learning_rate_init=0.2),
    "invscaling-net": make_mlp(
        solver="sgd", learning_rate="invscaling", learning_rate_init=1.0
    ),
    "early-stopped net": make_mlp(early_stopping=True, learning_rate_init=0.02),
    "sgd": make_sgd(eta0=0.1, learning_rate="constant"),
    "averaged sgd": make_sgd(average=True, eta0=0.1, learning_rate="invscaling"),
    "early-stopped sgd": make_sgd(early_stopping=True),
    "weighted sgd": make_sgd(class_weight={"a": 2.0}),
    "pipeline": make_pipeline(
        StandardScaler(), make_pipeline(StandardScaler(), make_mlp())
    ),
    "pipeline of one": make_pipeline(make_mlp(learning_rate_init=0.02)),
}


def validation_loss(student, rows, weight=None):
    proba = student.predict_proba(rows.X)
    return log_loss(rows.y, proba, sample_weight=weight, labels=rows.classes)


@pytest.mark.parametrize(("n_classes", "weighted"), [(2, True), (3, False)])
@pytest.mark.parametrize("name", TUNABLE)
def test_labels_that_say_more_are_learned(name, n_classes, weighted):
    train, held_out = make_parts(n_classes=n_classes, weighted=weighted)
    student = fit_student(clone(TUNABLE[name]), train, validation=held_out)
    before = pickle.dumps(student)
    tuned, kept, losses = fine_tune_student(student, train, held_out, epochs=10)
    assert pickle.dumps(student) == before
    assert kept
    assert losses[1] < losses[0]
    if "weighted" not in name:
        for model, loss in zip((student, tuned), losses, strict=True):
            assert loss == pytest.approx(
                validation_loss(model, held_out, held_out.weight), abs=1e-6
            )
    assert type(tuned) is type(student)
    # repr, for a pipeline's steps are other objects with the same parameters.
    assert repr(tuned) == repr(student)
    again, _, _ = fine_tune_student(student, train, held_out, epochs=10)
    np.testing.assert_array_equal(
        tuned.predict_proba(held_out.X), again.predict_proba(held_out.X)
    )


def test_class_weight_holds_while_tuning_and_deciding():
    train, held_out = make_parts(n_classes=2, weighted=True)
    factors = np.where(train.y == "a", 4.0, 1.0)
    by_class = make_sgd(class_weight={"a": 4.0})
    student = fit_student(by_class, train)
    tuned, _, losses = fine_tune_student(student, train, held_out, epochs=3)
    plain = copy.deepcopy(student).set_params(class_weight=None)
    by_row = SoftDataset(
        train.X, train.targets, train.classes, train.y, train.weight * factors
    )
    expected, _, _ = fine_tune_student(plain, by_row, held_out, epochs=3)
    np.testing.assert_allclose(tuned.coef_, expected.coef_, rtol=1e-12)
    assert tuned.class_weight == {"a": 4.0}
    weight = held_out.weight * np.where(held_out.y == "a", 4.0, 1.0)
    assert losses[1] == pytest.approx(validation_loss(tuned, held_out, weight))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_network_s_step_is_a_tenth_of_its_rate(solver):
    """The epochs of a stock network at that rate, started from the same weights."""
    train, held_out = make_parts()
    student = fit_student(make_mlp(solver=solver, learning_rate_init=0.02), train)
    tuned, _, _ = fine_tune_student(student, train, held_out, epochs=4)
    stock = copy.deepcopy(student).set_params(
        warm_start=True, learning_rate_init=0.002, max_iter=4
    )
    stock.fit(train.X, train.y)
    for mine, theirs in zip(tuned.coefs_, stock.coefs_, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    assert tuned.learning_rate_init == 0.02


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 1e-3},
        {"learning_rate": "constant", "eta0": 0.03},
        {"learning_rate": "invscaling", "eta0": 0.5, "power_t": 0.3},
    ],
)
def test_sgd_moves_at_a_tenth_of_the_rate_that_it_has_come_to(settings):
    train, held_out = make_parts(n_classes=2)
    student = fit_student(make_sgd(**settings), train)
    tuned, _, _ = fine_tune_student(student, train, held_out, epochs=2)
    # The next update of the intercept, on a row of zeros, is rate * (y - p).
    probe, before = copy.deepcopy(student), student.intercept_[0]
    probe.partial_fit(np.zeros((1, 4)), train.classes[1:])
    rate = (probe.intercept_[0] - before) / (1 - expit(before))
    stock = copy.deepcopy(student)
    stock.set_params(learning_rate="constant", eta0=0.1 * rate)
    stock.set_params(random_state=np.random.RandomState(0))
    stock.partial_fit(train.X, train.y).partial_fit(train.X, train.y)
    np.testing.assert_allclose(tuned.coef_, stock.coef_, rtol=1e-9)


def test_tuning_keeps_float32():
    train, held_out = make_parts()
    train, held_out = (
        rows.with_rows(rows.X.astype(np.float32)) for rows in (train, held_out)
    )
    student = fit_student(make_mlp(), replace(train, temperature=3.0))
    tuned, kept, _ = fine_tune_student(student, train, held_out, epochs=3)
    assert kept
    assert tuned.coefs_[-1].dtype == np.float32
