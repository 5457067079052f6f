"""`to_c` of regressors: compiled without a warning, and equal to `predict`."""

import ctypes

import numpy as np
import pytest
from _c import compile_strictly
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import HuberRegressor, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import OnnxRegressor, to_c, to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = 1e3 + 50 * X[:, 0] + np.abs(X[:, 1])
PAIR = np.column_stack([Y, -X[:, 2]])

MODELS = {
    "ridge": (Ridge(), Y),
    "ridge of two": (Ridge(), PAIR),
    "ridge an output": (MultiOutputRegressor(Ridge()), PAIR),
    "huber an output": (
        MultiOutputRegressor(HuberRegressor(epsilon=2, max_iter=1000)),
        PAIR,
    ),
    "network": (MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=20), PAIR),
    "tree": (DecisionTreeRegressor(max_depth=5), Y),
    "tree of two": (DecisionTreeRegressor(max_depth=5), PAIR),
    "forest": (RandomForestRegressor(3, max_depth=4), PAIR),
    "gradient boosting": (GradientBoostingRegressor(n_estimators=5), Y),
    "gradient boosting from 0": (
        GradientBoostingRegressor(loss="huber", n_estimators=5, init="zero"),
        Y,
    ),
    "histograms": (HistGradientBoostingRegressor(max_iter=5), Y),
    "LightGBM": (LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1), Y),
    "LightGBM of a quantile": (
        LGBMRegressor(objective="quantile", n_estimators=5, n_jobs=1, verbose=-1),
        Y,
    ),
}


@pytest.fixture(scope="module")
def compile_c(tmp_path_factory):
    """Return a function from the source to one from rows to values."""
    folder = tmp_path_factory.mktemp("c")

    def compile_source(text, n_outputs):
        function = compile_strictly(text, folder).model_predict
        doubles = ctypes.POINTER(ctypes.c_double)

        def predict(rows):
            rows = np.ascontiguousarray(rows, dtype=float)
            values = np.full((len(rows), n_outputs), 9.0)
            for row, value in zip(rows, values, strict=True):
                function(row.ctypes.data_as(doubles), value.ctypes.data_as(doubles))
            return values

        return predict

    return compile_source


def assert_served(model, y, compile_c, rows=X, rtol=1e-6, atol=1e-6):
    """The file answers what `predict` does, inside and outside of the rows."""
    source = to_c(model, rows, check=False)
    assert "proba" not in source
    predict = compile_c(source, 1 if y.ndim == 1 else y.shape[1])
    missing = np.where(RNG.random(rows.shape) < 0.2, np.nan, rows)
    for given in (rows, 20 * rows, missing):
        expected = model.predict(given).reshape(len(given), -1)
        np.testing.assert_allclose(predict(given), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_predict(name, compile_c):
    learner, y = MODELS[name]
    model = make_pipeline(SimpleImputer(), StandardScaler(), learner).fit(X, y)
    assert_served(model, y, compile_c)


@pytest.mark.parametrize(
    "member",
    [
        LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
        HistGradientBoostingRegressor(max_iter=9),
        RandomForestRegressor(3, max_depth=4),
    ],
    ids=lambda member: type(member).__name__,
)
def test_one_model_an_output(member, compile_c):
    model = MultiOutputRegressor(member).fit(X, PAIR)
    assert_served(model, PAIR, compile_c)


def test_a_boosted_student_of_several_outputs(compile_c):
    student = MultiOutputRegressor(LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1))
    given = {"pilot": 0, "augmenter": None, "random_state": 0}
    est = DistilledRegressor(RandomForestRegressor(5), student, **given).fit(X, PAIR)
    assert_served(est, PAIR, compile_c)


def test_own_categories_of_histograms(compile_c):
    rows = np.column_stack([RNG.integers(0, 6, 200), X[:, 0]])
    y = np.isin(rows[:, 0], [1, 4]) + 0.1 * rows[:, 1]
    model = HistGradientBoostingRegressor(max_iter=9, categorical_features=[0])
    predict = compile_c(to_c(model.fit(rows, y), rows), 1)
    np.testing.assert_allclose(predict(rows)[:, 0], model.predict(rows), rtol=1e-12)


XGBOOST = {
    "squared error": {},
    "absolute error": {"objective": "reg:absoluteerror"},
    "two outputs": {},
    "base score": {"base_score": 7.0},
    "forest": {"num_parallel_tree": 3, "subsample": 0.5},
    "stopped early": {"early_stopping_rounds": 1},
}


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost(name, compile_c):
    xgboost = pytest.importorskip("xgboost")
    y = PAIR if name == "two outputs" else Y
    model = xgboost.XGBRegressor(n_estimators=9, n_jobs=1, **XGBOOST[name])
    # Numbers that are thresholds of single precision go right.
    rows, given = np.round(X, 1), {}
    if name == "stopped early":
        given = {"eval_set": [(rows, y[::-1])], "verbose": False}
    model.fit(rows, y, **given)
    if name == "stopped early":
        assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    for given in (rows, rows.astype(np.float32).astype(float)):
        # XGBoost adds in single precision.
        assert_served(model, y, compile_c, given, rtol=2e-6, atol=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart"},
        {"booster": "gblinear"},
        {"objective": "count:poisson"},
        {"missing": -1.0},
    ],
    ids=str,
)
def test_xgboost_that_is_refused(params):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=2, n_jobs=1, **params).fit(X, Y)
    ((key, value),) = params.items()
    with pytest.raises(TypeError, match=f"to_c does not take XGBRegr.*{key}={value!r}"):
        to_c(model, X)


@pytest.mark.parametrize(
    "loss", ["RMSE", "MAE", "Quantile:alpha=0.7", "MultiRMSE", "an output"]
)
def test_catboost(loss, compile_c):
    catboost = pytest.importorskip("catboost")
    settings = {"iterations": 9, "depth": 3, "thread_count": 1, "verbose": 0}
    given = {} if loss == "an output" else {"loss_function": loss}
    model = catboost.CatBoostRegressor(**settings, allow_writing_files=False, **given)
    several = loss in ("MultiRMSE", "an output")
    model = MultiOutputRegressor(model) if loss == "an output" else model
    model = make_pipeline(StandardScaler(), model).fit(X, y := PAIR if several else Y)
    assert_served(model, y, compile_c)
    pytest.importorskip("skl2onnx")
    served = OnnxRegressor(to_onnx(model, X)).predict(X)
    # Values near 1000 in single precision.
    np.testing.assert_allclose(served, model.predict(X), rtol=1e-6, atol=1e-5)


def test_catboost_that_is_refused():
    catboost = pytest.importorskip("catboost")
    settings = {"iterations": 2, "verbose": 0, "allow_writing_files": False}
    model = catboost.CatBoostRegressor(loss_function="Poisson", **settings).fit(X, Y)
    # Its scores are logarithms.
    with pytest.raises(TypeError, match="to_c does not take CatBoostRegressor"):
        to_c(model, X)
    pytest.importorskip("onnx")
    with pytest.raises(TypeError, match=r"does not take .*loss_function='Poisson'"):
        to_onnx(model, X)


def test_quantiles_are_sorted(compile_c):
    crossing = FunctionRegressor(lambda X: X[:, :1] * [4, 0, -4] + [0, 1, 2])
    levels = (0.1, 0.5, 0.9)
    est = DistilledRegressor(
        crossing, Ridge(), quantiles=levels, pilot=0, augmenter=None, random_state=0
    ).fit(X, X[:, 1])
    assert (np.diff(est.student_.predict(X)) < 0).any()
    predict = compile_c(to_c(est, X), 3)
    np.testing.assert_allclose(predict(X), est.predict(X), atol=1e-9)


def test_refused():
    for y in (PAIR, PAIR[:, :1]):
        several = MultiOutputRegressor(KNeighborsRegressor()).fit(X, y)
        with pytest.raises(TypeError, match="MultiOutputRegressor of KNeighborsRegr"):
            to_c(several, X)
    with pytest.raises(TypeError, match="to_c does not take KNeighborsRegressor"):
        to_c(KNeighborsRegressor().fit(X, Y), X)
    boosted = GradientBoostingRegressor(n_estimators=2, init=Ridge())
    with pytest.raises(TypeError, match=r"GradientBoostingRegressor with init=Ridge\("):
        to_c(boosted.fit(X, Y), X)


class Clipped(Ridge):
    def predict(self, X):
        return super().predict(np.clip(X, -5, 5))


def test_a_file_that_differs_is_refused(tmp_path):
    path = tmp_path / "model.c"
    with pytest.raises(ValueError, match="predict outside of the example too; it diff"):
        to_c(Clipped().fit(X, Y), X, path)
    with pytest.raises(ValueError, match="must equal predict; 200 of 200 rows differ"):
        to_c(Clipped().fit(X, Y), 7 + X, path)
    assert not path.exists()
