"""Smaller numbers: close to the model they stand for, or refused with both scores."""

import numpy as np
import pandas as pd
import pytest
from _onnx_files import NAMES, SCORES, X, make_labels, read_metadata
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill.export import prune, to_onnx

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = ["float16", "int8-weights"]


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
    ("quantize", "share"), [("float16", 0.65), ("int8-weights", 0.45)]
)
def test_quantised_networks_stay_close_and_get_smaller(quantize, share, n_classes):
    pipeline, rows, y = make_network(n_classes)
    full = to_onnx(pipeline, rows)
    model = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)

    assert count_bytes(model) < share * count_bytes(full)
    label, proba = run(model, {"X": rows})
    difference = np.abs(proba - pipeline.predict_proba(rows)).max()
    assert 0 < difference < {"float16": 2e-3, "int8-weights": 0.03}[quantize]
    properties = read_metadata(model)
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


def list_tensors(model):
    return [onnx.numpy_helper.to_array(t) for t in model.graph.initializer]


def find_bias(model, n_classes):
    (bias,) = (v for v in list_tensors(model) if v.shape == (n_classes,))
    return bias.astype(float)


def make_linear_net(matrix, bias, rows):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    layer = torch.nn.Linear(*matrix.shape)
    net = skorch.NeuralNetClassifier(
        layer, criterion=torch.nn.CrossEntropyLoss, max_epochs=1, lr=0.0, verbose=0
    )
    net.fit(rows, np.arange(len(rows)) % matrix.shape[1])
    net.module_.weight.data[:] = torch.from_numpy(matrix.T)
    net.module_.bias.data[:] = torch.from_numpy(bias)
    return net


@pytest.mark.parametrize("kind", ["linear", "skorch"])
def test_bytes_are_rounded_row_by_row_and_keep_the_mean(kind):
    """Columns far from 0, with weights of sizes of their own."""
    rows = X + np.float32(8)
    scales = np.logspace(-3, 0, 5)[:, None]
    rng = np.random.RandomState(1)
    matrix = (scales * rng.normal(size=(5, 7))).astype(np.float32)
    # Logits around 0, as no softmax tells larger ones apart.
    bias = -(rows.mean(axis=0) @ matrix)
    if kind == "linear":
        model = LogisticRegression().fit(rows, np.arange(500) % 7)
        model.coef_, model.intercept_ = matrix.T.copy(), bias
        stored = matrix
    else:
        model, stored = make_linear_net(matrix, bias, rows), matrix.T

    full = to_onnx(model, rows)
    made = to_onnx(model, rows, quantize="int8-weights", tolerance=1)

    (codes,) = (v for v in list_tensors(made) if v.dtype == np.int8)
    (sizes,) = (v for v in list_tensors(made) if v.shape == (len(codes), 1))
    steps = np.abs(stored).max(axis=1, keepdims=True) / 127
    assert (np.abs(codes * sizes - stored) <= 0.501 * steps).all()
    rounded = codes * sizes if kind == "linear" else (codes * sizes).T
    exact = rows.astype(float) @ matrix + find_bias(full, 7)
    served = rows.astype(float) @ rounded + find_bias(made, 7)
    np.testing.assert_allclose(served.mean(axis=0), exact.mean(axis=0), atol=1e-5)
    assert np.abs(served - exact).max() > 1e-3


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


def test_the_same_rows_give_the_same_bytes():
    pipeline, rows, y = make_network()
    for quantize in KINDS:
        first, second = (
            to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
            for _ in range(2)
        )
        assert first.SerializeToString() == second.SerializeToString()


# --- Pruned, then quantised -----------------------------------------------------


@pytest.mark.parametrize("quantize", KINDS)
def test_a_pruned_network_is_quantised(quantize):
    pipeline, rows, y = make_network()
    pruned = prune(pipeline, rows, y, tolerance=0.05, epochs=30, random_state=0)
    plain = to_onnx(pipeline, rows, y, quantize=quantize, tolerance=0.01)
    model = to_onnx(pruned.estimator, rows, y, quantize=quantize, tolerance=0.01)
    assert count_bytes(model) < count_bytes(plain)
    proba = run(model, {"X": rows})[1]
    difference = np.abs(proba - pruned.estimator.predict_proba(rows)).max()
    assert 0 < difference < 0.1
    properties = read_metadata(model)
    before = properties["quantization"]["scores"][0]
    assert before["log_loss"] == pytest.approx(pruned.after["log_loss"], abs=1e-6)


# --- What is refused ------------------------------------------------------------


def test_a_loss_past_the_tolerance_is_refused():
    rows = -np.abs(np.column_stack([X, X[:, :1]]))
    y = np.where(rows[:, 0] < np.median(rows[:, 0]), "ant", "bee")
    model = LogisticRegression().fit(rows, y)
    # The weight of a class that is never predicted makes the others round to 0.
    model.classes_ = NAMES
    model.coef_ = np.zeros((3, 6))
    model.coef_[:, 0] = [-1, 1, 1000]
    model.intercept_ = np.median(rows[:, 0]) * np.array([1, -1, 0])
    to_onnx(model, rows, y, quantize="float16")
    with pytest.raises(ValueError, match=r"tolerance=0\.002 of the accuracy; on the"):
        to_onnx(model, rows, y, quantize="int8-weights")


def test_quantize_is_checked():
    pipeline, rows, y = make_network()
    for kind in ("int4", "int8"):
        with pytest.raises(ValueError, match=f"'int8-weights'.*received '{kind}'"):
            to_onnx(pipeline, rows, quantize=kind)
    tree = DecisionTreeClassifier(max_depth=3).fit(rows, y)
    for kind in KINDS:
        with pytest.raises(ValueError, match="this model has none"):
            to_onnx(tree, rows, quantize=kind)


def test_float16_takes_weights_up_to_the_largest_it_holds():
    rows = np.where(X > 0, np.float32(1e-6), np.float32(-1e-6))
    model = LogisticRegression().fit(X, make_labels(3))
    model.coef_ = np.ones((4, 5))
    model.classes_, model.intercept_ = np.arange(4), np.zeros(4)
    for largest in (65504, -65504):
        model.coef_[1, 2] = largest
        made = to_onnx(model, rows, quantize="float16")
        assert largest in [v[2, 1] for v in list_tensors(made) if v.ndim == 2]
    for larger in (65505, -1e9):
        model.coef_[1, 2] = larger
        with pytest.raises(ValueError, match="weights up to 65504") as error:
            to_onnx(model, rows, quantize="float16")
        assert f"this model has {abs(larger):g}" in str(error.value)
