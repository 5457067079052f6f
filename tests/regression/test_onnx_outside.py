"""ONNX files of regressors on tables of strings, and outside of the example."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.tree import DecisionTreeRegressor

from skdistill.export import OnnxClassifier, OnnxRegressor, to_onnx

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
N = 200
NAMES = np.array([f"c{k}" for k in range(9)])
FRAME = pd.DataFrame({"a": RNG.normal(size=N), "kind": RNG.choice(NAMES, N)})
Y = 3.0 * FRAME["a"] + np.isin(FRAME["kind"], NAMES[::3])
PAIR = np.column_stack([Y, -FRAME["a"]])

TREES = {
    "tree": DecisionTreeRegressor(max_depth=4),
    "forest": RandomForestRegressor(3, max_depth=4),
    "extra trees": ExtraTreesRegressor(3, max_depth=4),
    "gradient boosting": GradientBoostingRegressor(n_estimators=5),
    "histograms": HistGradientBoostingRegressor(max_iter=5),
    "LightGBM": LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
    "ada boost": AdaBoostRegressor(n_estimators=2),
}


def assert_equal(model, served, rows):
    np.testing.assert_allclose(served.predict(rows), model.predict(rows), atol=1e-4)


@pytest.mark.parametrize(
    "encoder", [OneHotEncoder(sparse_output=False), OrdinalEncoder()]
)
@pytest.mark.parametrize("name", TREES)
def test_a_category_that_an_encoder_refuses_is_never_served(name, encoder):
    encode = make_column_transformer((encoder, ["kind"]), remainder="passthrough")
    model = make_pipeline(encode, TREES[name]).fit(FRAME, Y)
    served = OnnxRegressor(to_onnx(model, FRAME))
    assert_equal(model, served, FRAME)
    for n_rows in (1, 5):
        unknown = FRAME[:n_rows].assign(kind="new")
        for estimator in (model, served):
            with pytest.raises(ValueError, match="Found unknown categories"):
                estimator.predict(unknown)


class Clipped(Ridge):
    def predict(self, X):
        return super().predict(np.clip(X, -5, 5))


class Strict(Ridge):
    """Answers 0 where no category is known."""

    def predict(self, X):
        return super().predict(X) * X.any(axis=1)


def test_files_that_differ_outside_of_the_example_are_refused():
    rows = FRAME[["a"]].to_numpy()
    with pytest.raises(ValueError, match=r"predict outside .* 10 times as far"):
        to_onnx(Clipped().fit(rows, Y), rows)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = make_column_transformer((encoder, ["kind"]))
    model = make_pipeline(encode, Strict()).fit(FRAME, Y)
    with pytest.raises(ValueError, match="'kind' is a category that the example does"):
        to_onnx(model, FRAME)


@pytest.mark.parametrize("name", [*TREES, "neighbours"])
def test_a_graph_takes_no_rows(name):
    version = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
    if name in ("ada boost", "neighbours") and version < (1, 31):
        pytest.skip("TopK of no rows ends the process of this ONNX Runtime")
    model, rows = TREES.get(name, KNeighborsRegressor()), FRAME[["a"]].to_numpy()
    model = to_onnx(model.fit(rows, Y), rows)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    none = np.empty((0, 1), dtype=np.float32)
    (values,) = session.run(None, {session.get_inputs()[0].name: none})
    assert values.shape == (0, 1)


@pytest.mark.parametrize("standard", [False, True])
def test_histograms(standard):
    rows = RNG.normal(size=(N, 3))
    rows[::9, 0] = np.nan
    y = np.nan_to_num(rows[:, 0]) - rows[:, 1]
    one = HistGradientBoostingRegressor(max_iter=9)
    for model, target in (
        (one.fit(rows, y), y),
        (MultiOutputRegressor(one), np.column_stack([y, -y])),
    ):
        model.fit(rows, target)
        served = OnnxRegressor(to_onnx(model, rows, standard_operators=standard))
        for given in (rows, 10 * rows, np.where(rows > 1, np.nan, rows)):
            assert_equal(model, served, given)


@pytest.mark.parametrize("name", ["histograms", "LightGBM"])
def test_categories_as_they_are(name):
    rows = FRAME.assign(kind=pd.Categorical(FRAME["kind"], NAMES))
    model = TREES[name]
    if name == "histograms":
        model = HistGradientBoostingRegressor(max_iter=5)
    served = OnnxRegressor(to_onnx(model.fit(rows, Y), rows))
    assert_equal(model, served, rows)


def test_a_threshold_next_to_one_of_few_numbers_that_float32_can_not_hold():
    x = np.repeat([[14.6], [16.0]], 60, axis=0)
    model = LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1).fit(x, x[:, 0])
    assert model.booster_.trees_to_dataframe()["threshold"][0] == np.nextafter(15.3, 16)
    rows = np.repeat([[15.0], [15.3], [17.0]], [60, 5, 60], axis=0)
    assert model.predict(rows[60:61]) == model.predict(rows[:1])
    assert_equal(model, OnnxRegressor(to_onnx(model, rows)), rows)


@pytest.mark.parametrize("grouped", [False, True])
def test_trees_that_are_leaves_on_strings_alone(grouped):
    texts, counts = FRAME[["kind"]], np.arange(N) % 5
    one_hot = make_pipeline(OneHotEncoder(), DecisionTreeRegressor(min_samples_leaf=N))
    one_hot.fit(texts, counts)
    served = OnnxRegressor(to_onnx(one_hot, texts, grouped=grouped))
    # The mean of 0 to 4.
    np.testing.assert_allclose(served.predict(texts), 2.0)
    with pytest.raises(ValueError, match="unknown categories"):
        served.predict(texts[:1].assign(kind="new"))
    typed = texts.astype("category")
    settings = {"min_samples_leaf": N, "max_iter": 2}
    values = HistGradientBoostingRegressor(**settings).fit(typed, counts)
    model = OnnxRegressor(to_onnx(values, typed, grouped=grouped))
    np.testing.assert_allclose(model.predict(typed), 2.0)
    classes = HistGradientBoostingClassifier(**settings).fit(typed, counts == 0)
    model = OnnxClassifier(to_onnx(classes, typed, grouped=grouped))
    np.testing.assert_allclose(model.predict_proba(typed), [[0.8, 0.2]] * N, rtol=1e-6)
