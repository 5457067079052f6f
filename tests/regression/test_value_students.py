"""Students of values with a learner of their own: networks and LightGBM."""

import pickle

import numpy as np
import pytest
from _samplers import Echo
from _values import ALONE, make_values
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_values(300)
PAIR = np.column_stack([Y, 100 * X[:, 0] - Y])
TEACHER = FrozenEstimator(ExtraTreesRegressor(10, random_state=0).fit(X, Y))


def distil(student, teacher=TEACHER, y=Y, fit=None, **params):
    settings = {"random_state": 0, **ALONE, **params}
    return DistilledRegressor(teacher, student, **settings).fit(X, y, **(fit or {}))


# Networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y, PAIR], ids=["one", "two"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_training_rows_alone_give_the_stock_fit_of_standardised_targets(solver, y):
    student = MLPRegressor(hidden_layer_sizes=(6, 4), solver=solver, max_iter=15)
    student.set_params(random_state=0, learning_rate_init=0.01)
    est = distil(student, Ridge(), y)
    said = Ridge().fit(X, y).predict(X)
    stock = TransformedTargetRegressor(student, transformer=StandardScaler())
    expected = stock.fit(X, said).predict(X)
    tolerance = 1e-5 if solver == "lbfgs" else 1e-9
    np.testing.assert_allclose(est.predict(X), expected, rtol=tolerance)
    served = est.student_
    assert served.n_iter_ == stock.regressor_.n_iter_
    assert served.out_activation_ == "identity"
    # Its last layer serves the units of y.
    np.testing.assert_allclose(served.predict(X), expected, rtol=tolerance)
    assert type(pickle.loads(pickle.dumps(served))) is MLPRegressor


def test_row_weights_of_a_network_are_repeated_rows():
    weight = np.random.default_rng(0).integers(1, 4, 300)
    student = MLPRegressor(
        hidden_layer_sizes=(6,), solver="lbfgs", max_iter=40, random_state=0
    )
    est = distil(student, Ridge(), alpha=0.0, fit={"sample_weight": weight})
    rows = np.repeat(np.arange(300), weight)
    stock = TransformedTargetRegressor(student, transformer=StandardScaler())
    expected = stock.fit(X[rows], Y[rows]).predict(X)
    np.testing.assert_allclose(est.predict(X), expected, rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_units_of_y_change_nothing(dtype):
    """With a transfer set, in single precision, far from 0, and in small units."""
    rows = X.astype(dtype)
    student = MLPRegressor(hidden_layer_sizes=(8,), max_iter=30)
    found = []
    for unit, start in ((1.0, 0.0), (1e6, 1e9), (1e-6, 0.0)):
        y = unit * Y + start
        est = DistilledRegressor(Ridge(), student, random_state=0)
        est.set_params(augmenter=Echo(), n_synthetic=600).fit(rows, y)
        found.append((est.predict(rows) - start) / unit)
    np.testing.assert_allclose(found[1], found[0], atol=2e-3)
    np.testing.assert_allclose(found[2], found[0], atol=2e-3)


def test_a_constant_target_is_served():
    student = MLPRegressor(hidden_layer_sizes=(4,), max_iter=200)
    with pytest.warns(UserWarning, match="y holds one value"):
        est = distil(student, Ridge(), Y * 0 + 5)
    np.testing.assert_allclose(est.predict(X), 5, atol=0.5)


def test_a_distilled_regressor_is_no_student():
    inner = DistilledRegressor(Ridge(), Ridge(alpha=3.0))
    with pytest.raises(TypeError, match=r"Pass its student, here student=Ridge\(alpha"):
        distil(inner)


def test_a_network_that_stops_early_keeps_its_best_epoch():
    student = MLPRegressor(hidden_layer_sizes=(8,), early_stopping=True, max_iter=300)
    student.set_params(n_iter_no_change=3, learning_rate_init=0.02)
    est = distil(make_pipeline(StandardScaler(), student), alpha=0.0)
    network = est.student_[-1]
    assert network.n_iter_ < 300
    assert network.best_validation_score_ == max(network.validation_scores_)
    # Scores are negative squared errors of standardised values.
    assert -1 < network.best_validation_score_ < 0


def test_a_transfer_set_brings_a_network_near_its_teacher():
    student = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(32,), max_iter=100)
    )
    rows, _ = make_values(500, seed=1)
    said = TEACHER.predict(rows)
    plain = distil(student, alpha=0.0).predict(rows)
    settings = {"augmenter": "munge", "n_synthetic": 3000}
    near = distil(student, **settings).predict(rows)
    assert np.mean((near - said) ** 2) < 0.6 * np.mean((plain - said) ** 2)


def test_fine_tuning_goes_on_from_where_the_network_stands():
    """Worse epochs are undone; better ones are those of a stock `partial_fit`."""
    student = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    est = distil(student, DecisionTreeRegressor(max_depth=1), fine_tune=20)
    assert est.fine_tune_["kept"]
    assert est.fine_tune_["after"] < est.fine_tune_["before"]
    spread = np.var(Y)
    assert 0.1 * spread < est.fine_tune_["after"] < 2 * spread


def test_chunks_train_a_network_of_the_same_units():
    rows, _ = make_values(400, seed=1)
    student = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(16,), max_iter=60)
    )
    est = distil(student, y=1e3 * Y, teacher=ExtraTreesRegressor(10), fit={
        "X_unlabeled": [rows[:200], rows[200:]]
    })  # fmt: skip
    assert est.score(X, 1e3 * Y) > 0.7


# LightGBM ----------------------------------------------------------------------------


def make_lightgbm(**params):
    settings = {"n_estimators": 6, "num_leaves": 5, "n_jobs": 1, "verbose": -1}
    return LGBMRegressor(**{**settings, **params})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("unit", [1.0, 1e-4])
def test_leaves_solve_a_ridge_regression_of_the_transfer_set(unit, weighted):
    """Trees are those of the real rows; all leaves minimise one quadratic."""
    y = unit * Y
    weight = np.random.default_rng(0).uniform(0.5, 2, 300) if weighted else None
    teacher = Ridge(alpha=1e-3)
    settings = {"augmenter": "munge", "n_synthetic": 400}
    fit = {"sample_weight": weight}
    student = make_lightgbm(random_state=0)
    est = distil(student, teacher, y, fit, **settings)
    said = teacher.fit(X, y, weight).predict(X)
    grown = clone(student).fit(X, said, sample_weight=weight)
    # The rows that were made, with their parents' weights.
    rows, parents = est.augmenter_.sample_with_parents(400, _sampler_seed(est))
    both = np.concatenate([X, rows])
    targets = teacher.predict(both)
    share = np.ones(700) if weight is None else np.append(weight, weight[parents])
    share /= share.sum()
    leaves = grown.predict(both, pred_leaf=True)
    np.testing.assert_array_equal(est.student_.predict(both, pred_leaf=True), leaves)
    marks = (leaves[:, :, None] == np.arange(5)).reshape(700, -1).astype(float)
    start = np.array(
        [grown.booster_.get_leaf_output(t, k) for t in range(6) for k in range(5)]
    )
    curvature = marks.T @ (share[:, None] * marks) + 1e-3 * np.eye(30)
    moved = np.linalg.solve(curvature, marks.T @ (share * (targets - marks @ start)))
    expected = marks @ (start + moved)
    np.testing.assert_allclose(est.predict(both) / unit, expected / unit, atol=2e-2)
    assert np.abs(grown.predict(both) - expected).max() > 0.5 * unit


def _sampler_seed(est):
    top = np.iinfo(np.int32).max
    return int(np.random.RandomState(est.random_state).randint(top, size=6)[4])


def test_leaves_that_hold_roots_of_values_are_not_set_again():
    """LightGBM squares their sum: set to values, they served 65 times the error."""
    y = np.exp(X[:, 0]) + 5
    teacher = FrozenEstimator(ExtraTreesRegressor(10, random_state=0).fit(X, y))
    student = LGBMRegressor(n_estimators=30, reg_sqrt=True, n_jobs=1, verbose=-1)
    est = DistilledRegressor(teacher, student, pilot=0, random_state=0)
    est.set_params(augmenter=Munge(), n_synthetic=600).fit(X, y)
    assert r2_score(teacher.predict(X), est.predict(X)) > 0.9


def test_without_a_transfer_set_lightgbm_is_the_stock_fit():
    est = distil(make_lightgbm(), Ridge())
    said = Ridge().fit(X, Y).predict(X)
    expected = make_lightgbm().fit(X, said).predict(X)
    np.testing.assert_array_equal(est.predict(X), expected)


def test_lightgbm_stops_early_on_rows_of_its_own():
    student = make_lightgbm(n_estimators=300, early_stopping_round=3, learning_rate=0.3)
    est = distil(student, alpha=0.0)
    assert 0 < est.student_.best_iteration_ < 300
    assert set(est.student_.best_score_["valid_0"]) == {"l2"}


# Optional libraries ------------------------------------------------------------------


def make_xgboost():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBRegressor(n_estimators=5, n_jobs=1)


def make_catboost():
    catboost = pytest.importorskip("catboost")
    settings = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
    return catboost.CatBoostRegressor(iterations=5, **settings)


@pytest.mark.parametrize("make", [make_xgboost, make_catboost])
def test_other_boosters_fit_all_rows_together(make):
    student = make()
    est = distil(student, Ridge(), augmenter=Echo(), n_synthetic=100, random_state=None)
    teacher = Ridge().fit(X, Y)
    said = np.concatenate([teacher.predict(X), teacher.predict(X[:100])])
    expected = clone(student).fit(np.concatenate([X, X[:100]]), said).predict(X)
    np.testing.assert_allclose(est.predict(X), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (make_lightgbm, {"n_iter_no_change": 3}),
        (make_xgboost, {"early_stopping_rounds": 3}),
        (make_catboost, {"use_best_model": True}),
    ],
)
def test_boosters_that_need_rows_to_stop_on_are_refused_before_a_fit(make, params):
    inner = make().set_params(**params)
    # Alone LightGBM is given some.
    alone = isinstance(inner, LGBMRegressor)
    student = MultiOutputRegressor(inner) if alone else inner
    where = " inside another estimator" if alone else ""
    said = f"Regressor{where} is not given; received {next(iter(params))}=.* Leave it"
    with pytest.raises(ValueError, match=said):
        distil(student, Ridge())


def test_a_net_learns_columns_of_single_precision():
    """A linear module has the least squares of a stock linear model."""
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    net = skorch.NeuralNetRegressor(
        torch.nn.Linear(5, 1),
        optimizer=torch.optim.LBFGS,
        max_epochs=20,
        batch_size=-1,
        lr=1.0,
        train_split=None,
        verbose=0,
    )
    rows = X.astype(np.float32)
    est = DistilledRegressor(TEACHER, net, random_state=0, **ALONE).fit(rows, Y)
    expected = LinearRegression().fit(rows, TEACHER.predict(rows)).predict(rows)
    np.testing.assert_allclose(est.predict(rows), expected, atol=0.05)
    assert est.predict(rows).shape == (300,)
