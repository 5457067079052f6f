"""Files of regressors whose values are far from 0 beside their spread."""

import numpy as np
import pytest
from _onnx_files import read_metadata
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import OnnxRegressor, to_c, to_onnx

pytest.importorskip("onnx")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
SIGNAL = X[:, 0] + 0.3 * np.abs(X[:, 1])
FAR = [(1.7e9, 600.0), (2.46e6, 0.5), (1e5, 0.05)]
BOOSTED = LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1)


def shift(offset, spread):
    """A network of standardised values, in the user's units."""
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=60, random_state=0)
    network.fit(X, SIGNAL)
    network.coefs_[-1] = network.coefs_[-1] * spread
    network.intercepts_[-1] = network.intercepts_[-1] * spread + offset
    return network


FAMILIES = {
    "ridge": Ridge(),
    "scaled ridge": make_pipeline(StandardScaler(), Ridge()),
    "forest": RandomForestRegressor(4, max_depth=6),
    "extra trees": ExtraTreesRegressor(4, max_depth=6),
    "gradient boosting": GradientBoostingRegressor(n_estimators=9),
    "histograms": HistGradientBoostingRegressor(max_iter=9),
    "LightGBM": BOOSTED,
    "scaled LightGBM": make_pipeline(StandardScaler(), BOOSTED),
    "mean": VotingRegressor(
        [
            ("linear", make_pipeline(StandardScaler(), Ridge())),
            ("no", "drop"),
            ("forest", RandomForestRegressor(4, max_depth=6)),
        ],
        weights=[1, 9, 3],
    ),
}


def assert_double(model, graph, y):
    """The file's scores are the model's, and stand in it."""
    served = OnnxRegressor(graph.SerializeToString())
    found, expected = served.predict(X), model.predict(X)
    assert found.dtype == np.float64
    off = (found - expected) / np.std(y, axis=0)
    np.testing.assert_allclose(off, 0, atol=1e-4)
    assert read_metadata(graph)["scores"]["student"]["r2"] == pytest.approx(
        r2_score(y, found)
    )


@pytest.mark.parametrize("standard", [False, True])
@pytest.mark.parametrize("name", [*FAMILIES, "network"])
def test_values_keep_their_digits(name, standard):
    for offset, spread in FAR[:1] if standard else FAR:
        y = offset + spread * SIGNAL
        model = shift(offset, spread) if name == "network" else FAMILIES[name].fit(X, y)
        assert r2_score(y, model.predict(X)) > 0.3
        graph = to_onnx(model, X, y, standard_operators=standard)
        assert_double(model, graph, y)


def test_one_output_of_two_is_far_from_0():
    y = np.column_stack([SIGNAL, 1.7e9 + 600 * SIGNAL])
    for learner in (Ridge(), RandomForestRegressor(3), MultiOutputRegressor(BOOSTED)):
        assert_double(learner.fit(X, y), to_onnx(learner, X, y), y)


def test_quantiles_are_sorted():
    crossing = FunctionRegressor(lambda X: 1e7 + X[:, :1] * [4, 0, -4] + [0, 1, 2])
    given = {"pilot": 0, "augmenter": None, "random_state": 0}
    est = DistilledRegressor(crossing, Ridge(), quantiles=(0.1, 0.5, 0.9), **given)
    est.fit(X, 1e7 + X[:, 1])
    served = OnnxRegressor(to_onnx(est, X)).predict(X)
    assert (np.diff(served) >= 0).all()
    np.testing.assert_allclose(served - est.predict(X), 0, atol=1e-4)


@pytest.mark.parametrize("kind", ["float16", "int8-weights"])
def test_quantised_weights(kind):
    model, y = shift(1.7e9, 600), 1.7e9 + 600 * SIGNAL
    graph = to_onnx(model, X, y, quantize=kind, tolerance=0.05)
    found = OnnxRegressor(graph).predict(X)
    assert r2_score(y, found) == pytest.approx(r2_score(y, model.predict(X)), abs=0.02)


def test_one_row_is_example_enough():
    model = BOOSTED.fit(X, 1.7e9 + SIGNAL)
    served = OnnxRegressor(to_onnx(model, X[:1])).predict(X)
    np.testing.assert_allclose(served - model.predict(X), 0, atol=1e-4)


def test_a_converter_computes_in_double():
    y = 1.7e9 + 600 * SIGNAL
    model = KNeighborsRegressor().fit(X, y)
    assert_double(model, to_onnx(model, X, y), y)


def test_what_can_not_be_centred_is_refused():
    model = AdaBoostRegressor(n_estimators=3, random_state=0).fit(X, 1e7 + SIGNAL)
    with pytest.raises(ValueError, match=r"far from 0 beside .* on y less its"):
        to_onnx(model, X)


def test_a_c_file_that_loses_the_spread_is_refused():
    class Rounded(Ridge):
        def predict(self, X):
            return np.round(super().predict(X), -2)

    y = 1.7e9 + 600 * SIGNAL
    assert to_c(Ridge().fit(X, y), X, check="auto")
    with pytest.raises(ValueError, match="must equal predict; "):
        to_c(Rounded().fit(X, y), X)


def test_values_that_float32_holds_stay_float32():
    served = OnnxRegressor(to_onnx(Ridge().fit(X, 20 + SIGNAL), X))
    assert served.predict(X).dtype == np.float32
