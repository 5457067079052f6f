"""Graphs without `ai.onnx.ml`, run by onnx's own reference implementation."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill.export import OnnxClassifier, to_onnx

pytest.importorskip("onnxruntime")
reference = pytest.importorskip("onnx.reference")

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # The reference computes a sigmoid from both sides of 0.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

RNG = np.random.RandomState(0)
N = 240
FRAME = pd.DataFrame(RNG.normal(size=(N, 3)), columns=list("abc")).assign(
    code=RNG.randint(0, 5, N), flag=RNG.normal(size=N) > 0, kind=RNG.choice([7, 9], N)
)
FRAME.loc[::7, "b"] = np.nan
SCORES = np.c_[FRAME["a"], FRAME["code"] - 2.0, FRAME["c"] * (FRAME["kind"] - 8)]
Y = SCORES.argmax(axis=1)


def prepare(encoder):
    fill = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_column_transformer(
        (fill, ["a", "b"]), (encoder, ["code", "kind"]), remainder="passthrough"
    )


ENCODERS = {
    "one-hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
}
CLASSIFIERS = {
    "network": lambda: MLPClassifier((8, 5), max_iter=20),
    "linear": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss"),
    "huber": lambda: SGDClassifier(loss="modified_huber"),
    "tree": lambda: DecisionTreeClassifier(max_depth=6),
    "stump": lambda: DecisionTreeClassifier(min_samples_leaf=N),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=3),
}
REGRESSORS = {
    "network": lambda: MLPRegressor(hidden_layer_sizes=(8,), max_iter=20),
    "linear": Ridge,
    "tree": lambda: DecisionTreeRegressor(max_depth=6),
    "forest": lambda: RandomForestRegressor(3, max_depth=4),
}
#: Rows inside and outside of the range.
SERVED = [
    FRAME,
    FRAME[:40].assign(b=np.nan),
    FRAME[:40].assign(code=77),
    FRAME[:40].assign(a=20 * FRAME["a"]),
]


def evaluate(model, rows, output):
    """Run a graph of standard operators by onnx alone."""
    assert [entry.domain for entry in model.opset_import] == [""]
    assert {node.domain for node in model.graph.node} == {""}
    feed = {"X": np.asarray(rows, dtype=np.float32)}
    return reference.ReferenceEvaluator(model).run([output], feed)[0]


@pytest.mark.parametrize(
    ("name", "encoder", "n_classes"),
    [
        ("network", "one-hot", 3),
        ("network", "ordinal", 2),
        ("linear", "one-hot", 3),
        ("linear", "ordinal", 2),
        ("sgd", "one-hot", 2),
        ("sgd", "ordinal", 3),
        ("huber", "ordinal", 3),
        ("tree", "one-hot", 2),
        ("stump", "ordinal", 3),
        ("histograms", "one-hot", 3),
        ("histograms", "ordinal", 2),
    ],
)
def test_probabilities_and_labels(name, encoder, n_classes):
    y = SCORES[:, :n_classes].argmax(axis=1)
    model = make_pipeline(prepare(ENCODERS[encoder]), CLASSIFIERS[name]())
    graph = to_onnx(model.fit(FRAME, y), FRAME, standard_operators=True)
    for rows in SERVED:
        expected = model.predict_proba(rows)
        found = evaluate(graph, rows, "probabilities")
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        assert (evaluate(graph, rows, "label") == model.predict(rows)).all()


@pytest.mark.parametrize("name", REGRESSORS)
def test_values(name):
    model = make_pipeline(prepare(ENCODERS["one-hot"]), REGRESSORS[name]())
    model.fit(FRAME, SCORES.sum(axis=1))
    graph = to_onnx(model, FRAME, standard_operators=True)
    for rows in SERVED:
        found = evaluate(graph, rows, "values")
        np.testing.assert_allclose(found[:, 0], model.predict(rows), atol=1e-4)


@pytest.mark.parametrize(
    "names", [["ant", "bee", "č"], [3, 10**12, -1], [1.0, 2.0, 40.0]]
)
def test_labels_of_any_type(names):
    y = np.asarray(names)[Y]
    model = make_pipeline(prepare(ENCODERS["ordinal"]), LogisticRegression())
    graph = to_onnx(model.fit(FRAME, y), FRAME, standard_operators=True)
    assert evaluate(graph, FRAME, "label").tolist() == model.predict(FRAME).tolist()


@pytest.mark.parametrize("name", ["network", "tree", "stump"])
def test_onnx_runtime_serves_it_with_any_number_of_rows(name):
    model = make_pipeline(prepare(ENCODERS["one-hot"]), CLASSIFIERS[name]())
    graph = to_onnx(model.fit(FRAME, Y), FRAME, standard_operators=True)
    served = OnnxClassifier(graph.SerializeToString())
    for n_rows in (0, 1, 50):
        rows = FRAME[:n_rows]
        expected = model.predict_proba(rows) if n_rows else np.empty((0, 3))
        np.testing.assert_allclose(served.predict_proba(rows), expected, atol=1e-5)


def test_quantised_weights():
    model = make_pipeline(StandardScaler(), MLPClassifier((32, 16), max_iter=20))
    rows = FRAME.fillna(0)
    options = {"standard_operators": True, "tolerance": 0.1, "quantize": "int8-weights"}
    graph = to_onnx(model.fit(rows, Y), rows, **options)
    found = evaluate(graph, rows, "probabilities")
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=0.1)


def test_what_standard_operators_do_not_express_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    texts = FRAME[["a"]].assign(text=np.where(FRAME["kind"] > 7, "x", "y"))
    encode = make_column_transformer(
        (OneHotEncoder(), ["text"]), remainder="passthrough"
    )
    model = make_pipeline(encode, LogisticRegression()).fit(texts, Y)
    with pytest.raises(TypeError, match=r"\['text'\] hold strings\. Replace"):
        to_onnx(model, texts, standard_operators=True, path=path)
    votes = AdaBoostClassifier(n_estimators=2).fit(FRAME[["a", "c"]], Y)
    with pytest.raises(TypeError, match=r"no standard operators stand for \w+"):
        to_onnx(votes, FRAME[["a", "c"]], standard_operators=True, path=path)
    assert not path.exists()
