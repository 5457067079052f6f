"""ONNX models of regressors: equal to them, and served from any container."""

import pickle

import numpy as np
import pandas as pd
import pytest
from _onnx_files import read_metadata
from _values import ALONE, make_values
from lightgbm import LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import OnnxRegressor, to_onnx

pytest.importorskip("onnx")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_values(300)
ROWS = X.astype(np.float32)
PAIR = np.column_stack([Y, 100 * X[:, 0] - Y])

STUDENTS = {
    "ridge": (Ridge(), Y),
    "ridge of two": (Ridge(), PAIR),
    "network": (
        make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=30)
        ),
        1e3 * Y + 1e5,
    ),
    "network of two": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=30), PAIR),
    "tree": (DecisionTreeRegressor(max_depth=5), Y),
    "forest": (RandomForestRegressor(3, max_depth=4), PAIR),
    "LightGBM": (
        LGBMRegressor(n_estimators=10, num_leaves=7, n_jobs=1, verbose=-1),
        Y,
    ),
}


@pytest.fixture(scope="module")
def models():
    found = {}
    for name, (student, y) in STUDENTS.items():
        est = DistilledRegressor(Ridge(), student, random_state=0)
        est.set_params(augmenter="munge", n_synthetic=300).fit(ROWS, y)
        found[name] = est, to_onnx(est, ROWS, y)
    return found


@pytest.mark.parametrize("name", STUDENTS)
def test_values_are_those_of_the_student(name, models):
    est, model = models[name]
    served = OnnxRegressor(model)
    expected = est.predict(ROWS)
    found = served.predict(ROWS)
    assert found.shape == expected.shape
    # In units of the spread, which is what rounding to float32 leaves.
    np.testing.assert_allclose(found, expected, atol=2e-4 * expected.std())
    np.testing.assert_allclose(served.predict(ROWS[:1]), found[:1], rtol=1e-6)
    none = served.predict(ROWS[:0])
    assert (none.shape, none.dtype) == (found[:0].shape, found.dtype)
    again = pickle.loads(pickle.dumps(served))
    np.testing.assert_array_equal(again.predict(ROWS), found)


def test_a_network_is_a_handful_of_nodes_and_knows_its_scores(models):
    est, model = models["network"]
    y = 1e3 * Y + 1e5
    assert [node.op_type for node in model.graph.node].count("Gemm") == 3
    scores = read_metadata(model)["scores"]
    rmse = root_mean_squared_error(y, est.predict(ROWS))
    assert scores["student"]["rmse"] == pytest.approx(rmse)
    assert scores["teacher"]["r2"] == pytest.approx(
        r2_score(y, est.teacher_.predict(X))
    )


@pytest.mark.parametrize("kind", ["float16", "int8-weights"])
def test_quantised_weights_may_cost_so_much_rmse(kind, models):
    est, _ = models["network of two"]
    model = to_onnx(est, ROWS, PAIR, quantize=kind, tolerance=0.05)
    served, exact = OnnxRegressor(model).predict(ROWS), est.predict(ROWS)
    assert 0 < np.abs(served - exact).max() < 0.2 * exact.std()
    with pytest.raises(
        ValueError, match="may cost at most tolerance=0 of the standard"
    ):
        to_onnx(est, ROWS, est.predict(ROWS), quantize=kind, tolerance=0)


def test_float16_that_the_scale_of_the_target_exceeds():
    """The columns are scaled, as the message must not ask for again."""
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=30, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(X, Y)
    network.coefs_[-1] *= 1e6
    with pytest.raises(ValueError, match="scale of the target: fit on a larger unit"):
        to_onnx(model, ROWS, quantize="float16")
    network.coefs_[-1] /= 1e6
    network.coefs_[0] *= 1e6
    with pytest.raises(ValueError, match="Scale the columns, or use quantize='int8-"):
        to_onnx(model, ROWS, quantize="float16")


def test_an_output_of_one_value_is_exact_beside_one_of_many():
    """Nothing tells how many of its digits count; float32 lacks the last."""
    rows = np.random.default_rng(0).normal(size=(300, 2))
    model = LinearRegression().fit(rows, rows)
    model.coef_, model.intercept_ = np.diag([0.0, 1e6]), np.array([2.0**24 + 1, 0])
    served = OnnxRegressor(to_onnx(model, rows)).predict(rows)
    assert served[:, 0].tolist() == [2**24 + 1] * 300


def test_frames_and_records_are_served():
    frame = pd.DataFrame({"n": X[:, 3], "kind": np.where(X[:, 0] > 0.5, "a", "b")})
    est = DistilledRegressor(random_state=0, **ALONE)
    est.fit(frame, Y, teacher_prediction=Y)
    served = OnnxRegressor(to_onnx(est, frame))
    np.testing.assert_allclose(served.predict(frame), est.predict(frame), atol=1e-3)
    record = dict(zip(frame.columns, frame.iloc[0], strict=True))
    assert served.predict(record).shape == (1,)
    small = make_pipeline(est.student_[0], Ridge())
    fixed = DistilledRegressor(served, small, **ALONE).fit(frame, Y)
    said = fixed.teacher_.predict(frame)
    np.testing.assert_array_equal(said, served.predict(frame))


def test_columns_named_like_an_output():
    names = ["values", "values_count", "label"]
    frame = pd.DataFrame(X[:, :3], columns=names).assign(text="a")
    encode = make_column_transformer((OneHotEncoder(), ["text"]), ("passthrough", [0]))
    model = make_pipeline(encode, Ridge()).fit(frame, Y)
    with pytest.raises(ValueError, match=r"\['values'\] clash"):
        to_onnx(model, frame)
    grouped = OnnxRegressor(to_onnx(model, frame, grouped=True))
    np.testing.assert_allclose(grouped.predict(frame), model.predict(frame), atol=1e-5)
    # Only a classifier's model has the output label; what is sorted has names beside.
    frame = frame.rename(columns={"values": "a"})
    student = make_pipeline(encode, LinearRegression())
    est = DistilledRegressor(
        FunctionRegressor(lambda X: np.column_stack([X["a"], X["a"] + 1])), student
    ).set_params(quantiles=(0.1, 0.9), augmenter=None)
    served = OnnxRegressor(to_onnx(est.fit(frame, Y), frame))
    np.testing.assert_allclose(served.predict(frame), est.predict(frame), atol=1e-5)


def test_any_output_that_overflows_is_refused():
    # 5e38 is beyond float32.
    y = np.column_stack([np.zeros(len(X)), 50 * X[:, 0]])
    served = OnnxRegressor(to_onnx(Ridge(1e-9).fit(ROWS, y), ROWS))
    row = np.eye(1, X.shape[1], 0, dtype=np.float32)
    np.testing.assert_allclose(served.predict(row), [[0, 50]], atol=1e-3)
    for rows in (1e37 * row, np.vstack([np.repeat(row, 50, axis=0), 1e37 * row])):
        with pytest.raises(ValueError, match="too large for dtype\\('float32'\\)"):
            served.predict(rows)


METAS = {
    "stack": lambda part: StackingRegressor([("a", part)], cv=2),
    "bag": lambda part: BaggingRegressor(part, n_estimators=2, random_state=0),
    "boosted": lambda part: AdaBoostRegressor(part, n_estimators=2, random_state=0),
    "outputs": MultiOutputRegressor,
}

PARTS = {
    "distilled": lambda: DistilledRegressor(Ridge(), Ridge(), **ALONE),
    "histogram": lambda: HistGradientBoostingRegressor(max_iter=5),
    "LightGBM": lambda: LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("meta", METAS)
def test_values_are_those_of_what_meta_estimators_hold(meta, part):
    model = METAS[meta](PARTS[part]()).fit(ROWS, PAIR if meta == "outputs" else Y)
    expected, served = model.predict(ROWS), OnnxRegressor(to_onnx(model, ROWS))
    np.testing.assert_allclose(
        served.predict(ROWS), expected, atol=2e-4 * expected.std()
    )


def cube(values):
    return values**3


def test_what_has_no_converter_is_refused():
    student = TransformedTargetRegressor(Ridge(), func=np.cbrt, inverse_func=cube)
    est = DistilledRegressor(Ridge(), student, **ALONE).fit(ROWS, Y)
    with pytest.raises(TypeError, match="No converter"):
        to_onnx(est, ROWS)
