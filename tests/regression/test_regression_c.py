"""`to_c` of regressors: compiled without a warning, and equal to `predict`."""

import ctypes

import numpy as np
import pytest
from _c import compile_strictly
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import to_c

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = 1e3 + 50 * X[:, 0] + np.abs(X[:, 1])
PAIR = np.column_stack([Y, -X[:, 2]])

MODELS = {
    "ridge": (Ridge(), Y),
    "ridge of two": (Ridge(), PAIR),
    "network": (MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=20), PAIR),
    "tree": (DecisionTreeRegressor(max_depth=5), Y),
    "tree of two": (DecisionTreeRegressor(max_depth=5), PAIR),
    "forest": (RandomForestRegressor(3, max_depth=4), PAIR),
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


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_predict(name, compile_c):
    learner, y = MODELS[name]
    model = make_pipeline(SimpleImputer(), StandardScaler(), learner).fit(X, y)
    source = to_c(model, X, check=False)
    assert "proba" not in source
    predict = compile_c(source, 1 if y.ndim == 1 else 2)
    missing = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    for rows in (X, 20 * X, missing):
        expected = model.predict(rows).reshape(len(rows), -1)
        np.testing.assert_allclose(predict(rows), expected, rtol=1e-6, atol=1e-6)


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
    with pytest.raises(TypeError, match="to_c does not take KNeighborsRegressor"):
        to_c(KNeighborsRegressor().fit(X, Y), X)


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
