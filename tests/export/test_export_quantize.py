"""Smaller numbers: close to the model they stand for, or refused with both scores."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import rel_entr
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill.export import prune, to_onnx
from skdistill.export.onnx import _quantize
from skdistill.export.onnx._byte_weights import store_bytes

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = ["float16", "int8", "int8-dynamic", "int8-weights"]
RNG = np.random.RandomState(0)
X = RNG.normal(size=(500, 5)).astype(np.float32)
SCORES = X @ RNG.normal(size=(5, 3)) + 0.5 * RNG.normal(size=(500, 3))
NAMES = np.array(["ant", "bee", "cow"])


def make_labels(n_classes=3):
    return NAMES[SCORES[:, :n_classes].argmax(axis=1)]


def run(model, feed):
    session = runtime.InferenceSession(model.SerializeToString())
    if "X" in feed:
        feed = {"X": feed["X"].astype(np.float32)}
    return session.run(["label", "probabilities"], feed)


def count_bytes(model):
    return len(model.SerializeToString())


def make_network(n_classes=3, shift=0.0):
    """A network on columns of very different scales, all far from 0 with a shift."""
    rows = (X + np.float32(shift)) * np.logspace(-3, 3, 5).astype(np.float32)
    # Numbers that float32 holds, for scikit-learn to compute with in double.
    rows = rows.astype(np.float64)
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier((64, 32), max_iter=30, random_state=0)
    )
    y = make_labels(n_classes)
    return pipeline.fit(rows, y), rows, y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    ("quantize", "share"),
    [("float16", 0.65), ("int8", 0.6), ("int8-dynamic", 0.6), ("int8-weights", 0.45)],
)
def test_quantised_networks_stay_close_and_get_smaller(quantize, share, n_classes):
    pipeline, rows, y = make_network(n_classes)
    full = to_onnx(pipeline, rows)
    model = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)

    assert count_bytes(model) < share * count_bytes(full)
    label, proba = run(model, {"X": rows})
    difference = np.abs(proba - pipeline.predict_proba(rows)).max()
    assert 0 < difference < {"float16": 2e-3, "int8-weights": 0.03}.get(quantize, 0.1)
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    before, after = properties["quantization"]["scores"]
    assert before["accuracy"] == pytest.approx(pipeline.score(rows, y))
    assert after["accuracy"] == pytest.approx(np.mean(label == y))
    codes = np.searchsorted(pipeline.classes_, y)
    own = -np.log(pipeline.predict_proba(rows)[np.arange(len(y)), codes]).mean()
    assert before["log_loss"] == pytest.approx(own)


@pytest.mark.parametrize("quantize", KINDS)
def test_columns_far_from_0(quantize):
    pipeline, rows, y = make_network(shift=3000)
    model = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
    proba = run(model, {"X": rows})[1]
    assert np.abs(proba - pipeline.predict_proba(rows)).mean() < 0.01


@pytest.mark.parametrize("quantize", KINDS)
def test_linear_models_on_a_mixed_table(quantize):
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": NAMES[SCORES.argmax(1)]})
    encode = make_column_transformer(
        (StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["kind"])
    )
    pipeline = make_pipeline(encode, LogisticRegression())
    pipeline.fit(frame, make_labels())
    model = to_onnx(pipeline, frame, make_labels(), quantize=quantize)
    feed = {name: frame[[name]].to_numpy(np.float32) for name in "ab"}
    feed["kind"] = frame[["kind"]].to_numpy(object)
    proba = run(model, feed)[1]
    np.testing.assert_allclose(proba, pipeline.predict_proba(frame), atol=0.02)
    # A level never seen is still no number.
    feed["kind"] = np.full((500, 1), "dog", dtype=object)
    assert np.isnan(run(model, feed)[1]).all()


@pytest.mark.parametrize("quantize", KINDS)
def test_a_skorch_net(quantize):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 200), torch.nn.ReLU(), torch.nn.Linear(200, 3)]
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=5,
        verbose=0,
    )
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(np.float32), net)
    pipeline.fit(X, SCORES.argmax(axis=1))
    model = to_onnx(pipeline, X, quantize=quantize, tolerance=0.01)
    assert count_bytes(model) < count_bytes(to_onnx(pipeline, X))
    proba = run(model, {"X": X})[1]
    np.testing.assert_allclose(proba, pipeline.predict_proba(X), atol=0.03)


# --- Matrices of 8 bits ---------------------------------------------------------


def make_layer(matrix, bias, transposed=False):
    """A model of one Gemm."""
    helper, n_out = onnx.helper, len(bias)
    node = helper.make_node("Gemm", ["X", "w", "b"], ["z"], transB=int(transposed))
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", width])
        for name, width in (("X", 5), ("z", n_out))
    ]
    stored = matrix.T if transposed else matrix
    tensors = [
        onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
        for values, name in ((stored, "w"), (bias, "b"))
    ]
    graph = helper.make_graph([node], "layer", ends[:1], ends[1:], tensors)
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("transposed", [False, True])
def test_bytes_are_rounded_row_by_row_and_keep_the_mean(transposed):
    rows = X + np.float32(100)
    scales = np.logspace(-2, 2, 5)[:, None]
    matrix = (scales * RNG.normal(size=(5, 7))).astype(np.float32)
    bias = RNG.normal(size=7).astype(np.float32)
    model = make_layer(matrix, bias, transposed)

    store_bytes(model, list(model.graph.node), {"X": rows})

    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    stored = matrix.T if transposed else matrix
    assert tensors["wq"].dtype == np.int8
    steps = np.abs(stored).max(axis=1, keepdims=True) / 127
    rounded = tensors["wq"] * tensors["ws"]
    assert (np.abs(rounded - stored) <= 0.501 * steps).all()
    served = runtime.InferenceSession(model.SerializeToString()).run(None, {"X": rows})
    exact = rows.astype(float) @ matrix + bias
    np.testing.assert_allclose(served[0].mean(axis=0), exact.mean(axis=0), rtol=1e-4)
    assert np.abs(served[0] - exact).max() > 1e-3


def test_bytes_cost_no_node_when_a_row_is_served(tmp_path):
    pipeline, rows, y = make_network()
    options = runtime.SessionOptions()
    path = tmp_path / "optimized.onnx"
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    operators = []
    for quantize in (None, "int8-weights"):
        model = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
        runtime.InferenceSession(model.SerializeToString(), options)
        operators.append([node.op_type for node in onnx.load(path).graph.node])
    assert operators[0] == operators[1]


# --- Ranges ---------------------------------------------------------------------


def test_the_ranges_keep_the_probabilities_the_closest(monkeypatch):
    pipeline, rows, y = make_network()
    # One row as large as a typing error.
    rows[0] *= 1000
    proba = pipeline.predict_proba(rows)

    def measure(ranges):
        monkeypatch.setattr(_quantize, "_RANGES", ranges)
        model = to_onnx(pipeline, rows, y, quantize="int8", tolerance=1)
        served = np.maximum(run(model, {"X": rows})[1], 1e-30)
        return rel_entr(proba, served).sum(axis=1).mean()

    ranges = _quantize._RANGES
    each = [measure((one,)) for one in ranges]
    assert measure(ranges) == pytest.approx(min(each))
    assert min(each) < 0.5 * each[0]


def test_the_same_rows_give_the_same_bytes():
    pipeline, rows, y = make_network()
    for quantize in KINDS:
        first, second = (
            to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
            for _ in range(2)
        )
        assert first.SerializeToString() == second.SerializeToString()


def test_quantising_prints_nothing(capsys):
    pipeline, rows, y = make_network()
    to_onnx(pipeline, rows, y, quantize="int8", tolerance=0.01)
    assert capsys.readouterr() == ("", "")


# --- Pruned, then quantised -----------------------------------------------------


@pytest.mark.parametrize("quantize", KINDS)
def test_a_pruned_network_is_quantised(quantize):
    pipeline, rows, y = make_network()
    pruned = prune(pipeline, rows, y, tolerance=0.05, passes=30, random_state=0)
    plain = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
    model = to_onnx(pruned.estimator, rows, y, quantize=quantize, tolerance=0.01)
    assert count_bytes(model) < count_bytes(plain)
    proba = run(model, {"X": rows})[1]
    difference = np.abs(proba - pruned.estimator.predict_proba(rows)).max()
    assert 0 < difference < 0.1
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    before = properties["quantization"]["scores"][0]
    assert before["log_loss"] == pytest.approx(pruned.after["log_loss"], abs=1e-6)


# --- What is refused ------------------------------------------------------------


def test_a_loss_past_the_tolerance_is_refused():
    pipeline, rows, y = make_network()
    # Enormous rows take the range of the calibration away from all others.
    rows[::20] *= 1e5
    with pytest.raises(ValueError, match=r"tolerance=0\.002 of the accuracy; on the"):
        to_onnx(pipeline, rows, y, quantize="int8")


def test_quantize_is_checked():
    pipeline, rows, y = make_network()
    with pytest.raises(ValueError, match=r"'int8-weights'\].*received 'int4'"):
        to_onnx(pipeline, rows, quantize="int4")
    tree = DecisionTreeClassifier(max_depth=3).fit(rows, y)
    with pytest.raises(ValueError, match="this model has none"):
        to_onnx(tree, rows, quantize="int8")
    pipeline[-1].coefs_[1] *= 1e9
    with pytest.raises(ValueError, match="weights up to 65504"):
        to_onnx(pipeline, rows, quantize="float16")
