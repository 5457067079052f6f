"""Exports where a release of a library has moved a private name that they read."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier

from skdistill.export import register_with_skl2onnx, slim, to_onnx


def test_gradient_boosting_without_its_start_is_refused_in_one_line(monkeypatch):
    pytest.importorskip("skl2onnx")
    X, y = load_iris(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)
    start = model._raw_predict_init

    def predict(self, X):
        trees = [[tree.predict(X) for tree in row] for row in self.estimators_]
        return start(X) + self.learning_rate * np.sum(trees, axis=0).T

    for kind in type(model).__mro__:
        if "_raw_predict_init" in vars(kind):
            monkeypatch.delattr(kind, "_raw_predict_init")
            monkeypatch.setattr(kind, "_raw_predict", predict)
    with pytest.raises(TypeError, match="No converter makes this model"):
        to_onnx(model, X)


def test_a_net_whose_probabilities_are_unknown_is_refused(monkeypatch):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    X, y = load_iris(return_X_y=True)
    net = skorch.NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=4,
        module__out_features=3,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=1,
        verbose=0,
    ).fit(X.astype(np.float32), y)
    monkeypatch.delattr(skorch.NeuralNet, "_get_predict_nonlinearity")
    with pytest.raises(TypeError, match="Install an earlier release of skorch"):
        slim(net)


def test_skl2onnx_without_its_parser_is_refused(monkeypatch):
    pytest.importorskip("skl2onnx")
    monkeypatch.delattr("skl2onnx._parse._parse_sklearn")
    with pytest.raises(ImportError, match="Use to_onnx"):
        register_with_skl2onnx()
