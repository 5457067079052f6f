"""Rows, learners and the comparison of an ONNX file with predict_proba."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

runtime = pytest.importorskip("onnxruntime")


RNG = np.random.RandomState(0)
X = RNG.normal(size=(500, 5)).astype(np.float32)
SCORES = X @ RNG.normal(size=(5, 3)) + 0.5 * RNG.normal(size=(500, 3))
NAMES = np.array(["ant", "bee", "cow"])
TRAIN, TEST = slice(0, 300), slice(300, None)


def make_labels(n_classes=3, names=NAMES):
    return names[SCORES[:, :n_classes].argmax(axis=1)]


def run(model, feed):
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert [output.name for output in session.get_outputs()] == [
        "label",
        "probabilities",
    ]
    return session.run(None, feed)


def assert_equal_to(estimator, model, rows, feed):
    label, proba = run(model, feed)
    np.testing.assert_allclose(proba, estimator.predict_proba(rows), atol=1e-5)
    assert proba.dtype == np.float32
    assert label.tolist() == np.ravel(estimator.predict(rows)).tolist()
    # One row, many, and none.
    one = {name: values[:1] for name, values in feed.items()}
    np.testing.assert_allclose(run(model, one)[1], proba[:1], atol=1e-6)
    none = {name: values[:0] for name, values in feed.items()}
    assert [answer.shape for answer in run(model, none)] == [(0,), (0, proba.shape[1])]


def read_metadata(model):
    return {entry.key: json.loads(entry.value) for entry in model.metadata_props}


def list_operators(model):
    return [node.op_type for node in model.graph.node]


def make_lightgbm(**params):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1, **params)


LEARNERS = {
    "mlp": lambda: MLPClassifier((8, 4), max_iter=20),
    "mlp-tanh": lambda: MLPClassifier((8,), activation="tanh", max_iter=20),
    "mlp-logistic": lambda: MLPClassifier((8,), activation="logistic", max_iter=20),
    "mlp-identity": lambda: MLPClassifier((8, 4), activation="identity", max_iter=20),
    "logistic": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss"),
    "sgd-huber": lambda: SGDClassifier(loss="modified_huber"),
    "lda": LinearDiscriminantAnalysis,
    "tree": lambda: DecisionTreeClassifier(max_depth=5),
    "forest": lambda: RandomForestClassifier(5),
    "extra": lambda: ExtraTreesClassifier(5, max_depth=6),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=5),
    "lightgbm": make_lightgbm,
    "bayes": GaussianNB,
    "vote": lambda: VotingClassifier(
        [
            ("a", LogisticRegression()),
            ("b", HistGradientBoostingClassifier(max_iter=3)),
            ("c", make_lightgbm()),
        ],
        voting="soft",
    ),
    "frozen": lambda: FrozenEstimator(
        LogisticRegression().fit(X[TRAIN], make_labels(3)[TRAIN])
    ),
}


def make_frame(missing=True):
    """Numbers, texts, categories and booleans, most with missing values."""
    frame = pd.DataFrame(X[:, :3].copy(), columns=["a", "b", "c d"])
    rng = np.random.RandomState(1)
    levels = np.array(["red", "green", "blue", "rare"])
    frame["text"] = rng.choice(levels, len(X), p=[0.4, 0.3, 0.29, 0.01])
    frame["kind"] = pd.Categorical(rng.choice(["x", "y"], len(X)))
    frame["flag"] = X[:, 3] > 0
    if missing:
        frame.loc[::7, "b"] = np.nan
        frame.loc[::11, "text"] = None
    return frame


def default_student(rows):
    """Return the unfitted default student of a table.

    It is read off a fit that ends soon, for there is nothing to learn.
    """
    y = np.arange(len(rows)) % 2
    distilled = DistilledClassifier(augmenter=None, random_state=0)
    distilled.fit(rows, y, teacher_proba=np.full((len(rows), 2), 0.5))
    student = clone(distilled.student_)
    student[-1].set_params(max_iter=20, random_state=0)
    return student


def prepare_columns(rows):
    """Return the unfitted preprocessing of the default student."""
    return default_student(rows)[:-1]
