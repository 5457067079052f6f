"""Graphs of converters that users register with skl2onnx."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

from skdistill.export import OnnxClassifier, to_onnx

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
    "raw_scores": [True, False],
}


class Branching(ClassifierMixin, BaseEstimator):
    """A sigmoid of the first column, whose converter writes a condition."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-X[:, 0]))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def convert(scope, operator, container):
    warnings.warn("tested with another release", UserWarning, stacklevel=1)
    (given,), outputs = operator.inputs, operator.outputs
    label, proba = (output.full_name for output in outputs)

    def add(kind, read, output=None, **attributes):
        name = output or scope.get_unique_variable_name("made")
        node = scope.get_unique_operator_name(kind)
        container.add_node(kind, read, [name], name=node, op_version=18, **attributes)
        return name

    for name, kind, shape, value in (
        ("one", FLOAT, [1], [1.0]),
        ("low", FLOAT, [], [-1.0]),
        ("first", INT64, [1], [0]),
    ):
        container.add_initializer(name, kind, shape, value)
    p = add("Sigmoid", [add("Gather", [given.full_name, "first"], axis=1)])
    # What the branches alone read.
    inner = add("Identity", [p])
    condition = add("Greater", [add("ReduceMax", [p], keepdims=0), "low"])

    def write_branch():
        other, both = map(scope.get_unique_variable_name, ("other", "both"))
        nodes = [
            onnx.helper.make_node("Sub", ["one", inner], [other]),
            onnx.helper.make_node("Concat", [other, inner], [both], axis=1),
        ]
        output = onnx.helper.make_tensor_value_info(both, FLOAT, None)
        return onnx.helper.make_graph(nodes, "branch", [], [output])

    branches = {"then_branch": write_branch(), "else_branch": write_branch()}
    add("If", [condition], proba, **branches)
    add("ArgMax", [proba], label, axis=1, keepdims=0)


def test_what_inner_graphs_read_is_kept_and_nothing_is_warned_of():
    shapes = calculate_linear_classifier_output_shapes
    skl2onnx.update_registered_converter(
        Branching, "Branching", shapes, convert, options=OPTIONS
    )
    X = np.random.RandomState(0).normal(size=(60, 2))
    model = Branching().fit(X, (X[:, 0] > 0).astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        served = OnnxClassifier(to_onnx(model, X))
    np.testing.assert_allclose(
        served.predict_proba(X), model.predict_proba(X), atol=1e-6
    )
