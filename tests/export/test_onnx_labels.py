"""Labels of every kind in ONNX: equal to those of the model, or refused."""

import numpy as np
import pytest
from _onnx_files import LEARNERS, X, make_labels, read_metadata, run

from skdistill.export import OnnxClassifier, to_onnx

pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")


LABELS = {
    "int": np.array([3, 5, 9]),
    "positions": np.array([0, 1, 2]),
    "int equal in float32": 2**24 + np.arange(3),
    "int equal in float64": 2**53 + np.arange(3),
    "uint8": np.array([0, 1, 255], dtype=np.uint8),
    "uint64": np.array([0, 1, 2**63 - 1], dtype=np.uint64),
    "float": np.array([1.0, 2.0, 4.0]),
    "float equal in float32": 2.0**24 + np.arange(3),
    "object": np.array(["ä", "b", "c"], dtype=object),
    "bool": np.array([False, True]),
}


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("name", ["logistic", "mlp"])
def test_labels_keep_their_type(names, name):
    learner = LEARNERS[name]().fit(X, make_labels(len(names), names))
    model = to_onnx(learner, X)
    label = run(model, {"X": X})[0]
    assert (label.dtype == bool) == (names.dtype == bool)
    assert label.tolist() == learner.predict(X).tolist()
    properties = read_metadata(model)
    assert properties["classes"] == learner.classes_.tolist()


@pytest.mark.parametrize("kind", ["uint8", "uint64", "float equal in float32"])
def test_labels_are_served_in_their_type(kind):
    learner = LEARNERS["logistic"]().fit(X, make_labels(3, LABELS[kind]))
    answer = OnnxClassifier(to_onnx(learner, X)).predict(X)
    np.testing.assert_array_equal(answer, learner.predict(X), strict=True)


@pytest.mark.parametrize(
    "names",
    [
        np.array([0, 1, 2**63], dtype=np.uint64),
        np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "datetime64[D]"),
    ],
    ids=["beyond int64", "dates"],
)
def test_labels_that_onnx_does_not_have_are_refused(names):
    learner = LEARNERS["logistic"]().fit(X, make_labels(3, names))
    with pytest.raises(TypeError, match="strings, booleans, floats or integers of 64"):
        to_onnx(learner, X)


@pytest.mark.parametrize("learner", ["logistic", "forest"])
def test_a_label_with_a_lone_surrogate_is_refused(learner):
    labels = np.array(["\ud800", "b"], dtype=object)[(X[:, 0] > 0).astype(int)]
    with pytest.raises(TypeError, match="encoded as UTF-8"):
        to_onnx(LEARNERS[learner]().fit(X, labels), X)
