"""The learner of small networks beside scikit-learn's, and its gradients."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from _learners import SoftDataset, fit_student, learn
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_info, threadpool_limits

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill._students import _mlp

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both = pytest.mark.parametrize("n_classes", [2, 4])

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": expit,
    "identity": lambda z: z,
}


def draw(n_samples, n_classes, *, hard=False, weighted=False, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 5))
    logits = X @ rng.normal(size=(5, n_classes)) + 0.5 * rng.normal(
        size=(n_samples, n_classes)
    )
    classes = np.array(list("abcd"))[:n_classes]
    targets = np.eye(n_classes)[logits.argmax(axis=1)] if hard else softmax(logits, 1)
    weight = rng.randint(1, 4, n_samples).astype(float) if weighted else None
    return SoftDataset(X, targets, classes, classes[logits.argmax(axis=1)], weight)


def list_params(net):
    return [*net.coefs_, *net.intercepts_]


def assert_close(one, other, atol):
    for mine, theirs in zip(list_params(one), list_params(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol)


def measure(params, data, activation, penalty, alpha, T):
    """The objective of the design, written out."""
    units, half = data.X, len(params) // 2
    for layer in range(half):
        units = units @ params[layer] + params[half + layer]
        if layer < half - 1:
            units = ACTIVATIONS[activation](units)
    z = np.column_stack([0 * units, units]) if units.shape[1] == 1 else units
    losses = -alpha * (data.targets * log_softmax(z, axis=1)).sum(axis=1)
    hard = -log_softmax(T * z, axis=1)[np.arange(len(z)), data.codes]
    losses += (1 - alpha) / T**2 * hard
    squares = sum((coef**2).sum() for coef in params[:half])
    weight = np.ones(len(z)) if data.weight is None else data.weight
    return (weight @ losses + 0.5 * penalty * squares) / weight.sum()


@quiet
@both
@pytest.mark.parametrize("T", [None, 0.5, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_first_step_is_the_gradient(activation, weighted, T, n_classes):
    """At rate 1 without momentum; T None: the targets are all that is learned."""
    data = draw(40, n_classes, weighted=weighted)
    alpha = np.ones(40)
    if T is not None:
        alpha = np.linspace(0, 1, 40)
        data = replace(data, alpha=alpha, temperature=T)
    net = MLPClassifier(
        (4, 3), activation, solver="sgd", alpha=0.7, momentum=0,
        nesterovs_momentum=False, learning_rate_init=1, max_iter=1, random_state=0,
    )  # fmt: skip
    moved = learn(clone(net), data)
    net.set_params(learning_rate_init=1e-300)
    # The first weights are scikit-learn's.
    start = list_params(net.fit(data.X, data.y))
    settings = (data, activation, 0.7, alpha, T or 1)
    assert moved.loss_ == pytest.approx(measure(start, *settings), abs=1e-12)
    for place, (before, after) in enumerate(
        zip(start, list_params(moved), strict=True)
    ):
        for index in np.ndindex(before.shape):
            ends = []
            for step in (-1e-5, 1e-5):
                shifted = [part.copy() for part in start]
                shifted[place][index] += step
                ends.append(measure(shifted, *settings))
            slope = (ends[1] - ends[0]) / 2e-5
            assert before[index] - after[index] == pytest.approx(slope, abs=1e-8)


SOLVERS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "no nesterov": {
        "solver": "sgd",
        "nesterovs_momentum": False,
        "learning_rate": "invscaling",
        "learning_rate_init": 0.1,
    },
}
solvers = pytest.mark.parametrize("solver", SOLVERS)


def make_net(solver, **params):
    return MLPClassifier((16, 8), random_state=0, **(SOLVERS[solver] | params))


@quiet
@both
@solvers
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_500_updates_are_scikit_learn_s(solver, n_classes, dtype, atol):
    data = draw(1000, n_classes, hard=True, weighted=True)
    net = make_net(solver, max_iter=25, batch_size=50, tol=0)
    rows = data.with_rows(data.X.astype(dtype))
    ours = fit_student(clone(net), rows)
    stock = clone(net).fit(rows.X, rows.y, sample_weight=rows.weight)
    assert ours.coefs_[0].dtype == stock.coefs_[0].dtype == dtype
    assert_close(ours, stock, atol)
    np.testing.assert_allclose(ours.loss_curve_, stock.loss_curve_, atol=atol)
    assert (ours.n_iter_, ours.t_) == (stock.n_iter_, stock.t_) == (25, 25_000)


@quiet
@both
@solvers
def test_partial_fit_goes_on_as_after_scikit_learn_s_fit(solver, n_classes):
    """From the moments, counts and rates of the last update."""
    data = draw(300, n_classes, hard=True)
    net = make_net(solver, max_iter=5)
    ours, stock = fit_student(clone(net), data), clone(net).fit(data.X, data.y)
    for _ in range(3):
        ours.partial_fit(data.X, data.y)
        stock.partial_fit(data.X, data.y)
    assert_close(ours, stock, 1e-10)
    np.testing.assert_array_equal(ours.predict(data.X), stock.predict(data.X))
    assert ours.loss_curve_ == pytest.approx(stock.loss_curve_)


@quiet
def test_verbose_prints_what_scikit_learn_prints(capsys):
    data = draw(300, 2, hard=True)
    net = make_net("adam", max_iter=3, verbose=True)
    fit_student(clone(net), data)
    ours = capsys.readouterr().out
    net.fit(data.X, data.y)
    assert ours == capsys.readouterr().out
    fit_student(clone(net), data, validation=data)
    assert capsys.readouterr().out.count("Validation score: -") == 3


@quiet
@both
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weights_are_repeated_rows(solver, n_classes):
    """In batches of all rows, of which one has no weight."""
    data = draw(60, n_classes, weighted=True)
    data.weight[7] = 0
    rows = np.repeat(np.arange(60), data.weight.astype(int))
    repeated = replace(data.take(rows), weight=None)
    net = MLPClassifier((4,), solver=solver, max_iter=20, batch_size=1000)
    net.set_params(random_state=0)
    weighted, copies = fit_student(clone(net), data), fit_student(clone(net), repeated)
    assert_close(weighted, copies, 1e-8)


@quiet
def test_a_batch_without_weight_is_passed_over():
    data = draw(20, 2)
    weight = np.repeat([1.0, 0.0], 10)
    net = make_net("adam", shuffle=False, batch_size=10, max_iter=3)
    first = data.take(np.arange(10))
    some, few = fit_student(clone(net), replace(data, weight=weight)), clone(net)
    assert_close(some, fit_student(few, first), 1e-12)


@quiet
def test_sparse_rows_are_learned_as_dense_ones():
    sparse = pytest.importorskip("scipy.sparse")
    data = draw(200, 4)
    X = np.where(np.abs(data.X) > 0.5, data.X, 0)
    for solver in ("adam", "lbfgs"):
        net = MLPClassifier((4,), solver=solver, max_iter=10, random_state=0)
        dense = fit_student(clone(net), data.with_rows(X))
        for kind in (sparse.csr_array, sparse.csc_matrix):
            other = fit_student(clone(net), data.with_rows(kind(X)))
            assert_close(other, dense, 1e-9)


@quiet
@pytest.mark.parametrize(("factor", "single"), [(1, True), (1e6, False)])
def test_transfer_sets_are_learned_in_single_precision(factor, single):
    """Unless columns are large; what serves has the precision of the rows."""
    train, transfer = draw(100, 2), draw(400, 2, seed=1)
    train, transfer = (d.with_rows(factor * d.X) for d in (train, transfer))
    net = fit_student(make_net("adam", max_iter=2), train, transfer)
    narrow = [np.array_equal(p, p.astype(np.float32)) for p in list_params(net)]
    assert all(narrow) is single
    assert any(narrow) is single
    assert net.predict_proba(train.X).dtype == np.float64


class Watched(SoftDataset):
    """Validation rows that note how many threads BLAS has while they are measured."""

    def measure(self, proba):
        pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
        self.params["threads"].append({pool["num_threads"] for pool in pools})
        return super().measure(proba)


@quiet
def test_one_blas_thread_trains():
    data = draw(100, 2)
    seen = {"threads": []}
    held_out = Watched(data.X, data.targets, data.classes, data.y, params=seen)
    with threadpool_limits(2, user_api="blas"):
        before = threadpool_info()
        fit_student(make_net("adam", max_iter=2), data, validation=held_out)
        assert threadpool_info() == before
    assert seen["threads"] == [{1}, {1}]


@pytest.mark.parametrize(("max_iter", "warns"), [(3, True), (1000, False)])
def test_the_end_that_we_set_is_no_failure(max_iter, warns, monkeypatch):
    monkeypatch.setattr(_mlp, "MIN_UPDATES", 100)
    train, transfer = draw(100, 2), draw(1900, 2, seed=1)
    net = make_net("adam", max_iter=max_iter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_student(net, train, transfer)
    assert net.n_iter_ == min(max_iter, 20)
    assert [w.category for w in caught] == warns * [ConvergenceWarning]


@pytest.mark.usefixtures("all_updates")
def test_the_default_student_has_no_end_that_a_user_set():
    data = draw(60, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = DistilledClassifier(
            GaussianNB(), augmenter="munge", n_synthetic=40, pilot=0, random_state=0
        ).fit(data.X, data.y)
    network = model.student_[-1]
    assert network.n_iter_ == network.max_iter


@quiet
def test_diverging_parameters_are_an_error():
    data = draw(50, 2)
    net = make_net("sgd", learning_rate_init=1e300, max_iter=5)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="StandardScaler"):
        fit_student(net, data)


@quiet
def test_one_row_is_learned_where_two_of_three_validate():
    X, y = np.eye(3), np.array([0, 1, 1])
    params = {"early_stopping": True, "validation_fraction": 0.6, "max_iter": 4}
    student = MLPClassifier((4,), **params, random_state=0)
    distilled = DistilledClassifier(None, student, augmenter=None, calibrate=False)
    fitted = distilled.fit(X, y, teacher_proba=np.eye(2)[y]).student_
    # Adam counts the rows that it has seen.
    assert fitted.t_ == fitted.n_iter_ > 0


NO_UNIT = {"hidden_layer_sizes": (4, 0)}, ValueError, r"\(4, 0\).*Leave layers out"


@pytest.mark.parametrize(
    ("task", "student", "params", "error", "match"),
    [
        (DistilledClassifier, MLPClassifier, *NO_UNIT),
        (DistilledRegressor, MLPRegressor, *NO_UNIT),
        (
            *(DistilledClassifier, MLPClassifier),
            *({"alpha": -1}, InvalidParameterError, "'alpha' parameter"),
        ),
    ],
)
def test_parameters_are_checked_before_the_teacher_is_fitted(
    task, student, params, error, match
):
    data = draw(50, 2)
    with pytest.raises(error, match=match):
        task(None, student(**params)).fit(data.X, data.codes)


@pytest.mark.parametrize("name", ["_predict", "_forward_pass_fast"])
def test_a_release_that_moved_private_names_is_named(monkeypatch, name):
    def moved(self, X, check_input=True):
        return self._binarizer_of_another_release

    monkeypatch.setattr(MLPClassifier, name, moved)
    data = draw(50, 2)
    with pytest.raises(RuntimeError, match=r"_binarizer_of_another.*another student"):
        DistilledClassifier(GaussianNB(), MLPClassifier((4,))).fit(data.X, data.y)
