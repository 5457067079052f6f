"""Nets that learn by chunks, and students that serve partitions of a Dask DataFrame."""

import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdistill import DistilledClassifier, FunctionClassifier


@pytest.fixture(scope="module")
def data():
    given = {"n_informative": 8, "n_redundant": 0, "n_classes": 3}
    return make_classification(6000, 10, **given, random_state=0)


@pytest.fixture(scope="module")
def distilled(data):
    X, y = data
    student = make_pipeline(StandardScaler(), LogisticRegression())
    teacher = RandomForestClassifier(20, random_state=0)
    given = {"augmenter": None, "random_state": 0}
    return DistilledClassifier(teacher, student, **given).fit(X[:600], y[:600])


# Nets ---------------------------------------------------------------------------------


def make_net(**params):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    nn = torch.nn
    # An instance brings weights that were drawn before `fit` seeds anything.
    torch.manual_seed(0)
    given = {"max_epochs": 8, "lr": 0.01, "optimizer": torch.optim.Adam, **params}
    module = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3))
    loss = nn.CrossEntropyLoss
    net = skorch.NeuralNetClassifier(module, criterion=loss, verbose=0, **given)
    return make_pipeline(StandardScaler(), FunctionTransformer(np.float32), net)


def distil(X, y, X_unlabeled, student, **params):
    teacher = FrozenEstimator(
        RandomForestClassifier(20, min_samples_leaf=5, random_state=0).fit(X, y)
    )
    given = {"augmenter": None, "random_state": 0, "temperature": 2.0, **params}
    distilled = DistilledClassifier(teacher, student, **given)
    return distilled.fit(X, y, X_unlabeled=X_unlabeled)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.slow
def test_a_net_learns_as_well_by_chunks(data, small_blocks, shuffle):
    X, y = data
    net = make_net(iterator_train__shuffle=shuffle)
    whole, chunked = (
        distil(X[:600], y[:600], U, net)
        for U in (X[600:4000], np.array_split(X[600:4000], 3))
    )
    labels = whole.teacher_.predict(X[4000:])
    losses = [log_loss(labels, m.predict_proba(X[4000:])) for m in (whole, chunked)]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)
    net = chunked.student_[-1]
    assert type(net).__name__ == "NeuralNetClassifier"
    assert "soft_" not in vars(net)
    np.testing.assert_array_equal(net.classes_, [0, 1, 2])


def test_every_epoch_of_a_net_visits_every_row_once(data, small_blocks):
    """A fifth of the training rows validates; all others are learned."""
    X, y = data
    distilled = distil(
        X[:600], y[:600], np.array_split(X[600:2600], 3), make_net(max_epochs=2)
    )
    history = distilled.student_[-1].history
    assert len(history) == 2
    for epoch in history:
        for name, n_rows in (("train", 480 + 2000), ("valid", 120)):
            sizes = [batch.get(f"{name}_batch_size", 0) for batch in epoch["batches"]]
            assert sum(sizes) == n_rows


def test_a_net_may_learn_no_row_that_its_teacher_has_seen():
    """Where the labels near those are wrong, only synthetic rows far away are learned.

    Then rows of the first buffer validate.
    """
    rng = np.random.default_rng(0)
    seen, held, more = (rng.normal(size=(n, 10)) for n in (600, 300, 20))
    classes = np.arange(3)

    def ask(rows):
        labels = rows[:, :3].argmax(axis=1)
        far = euclidean_distances(rows, seen).min(axis=1) > 1.5
        said = np.where(far, labels, (labels + 1) % 3)
        return 0.9 * np.eye(3)[said] + 0.1 / 3

    distilled = DistilledClassifier(
        FunctionClassifier(ask, classes),
        make_net(max_epochs=4, batch_size=64),
        n_synthetic=1500,
        random_state=0,
    )
    given = {"X_val": held, "y_val": held[:, :3].argmax(axis=1)}
    y = rng.choice(classes, 600)
    distilled.fit(seen, y, X_unlabeled=np.split(more, 2), **given)
    (chosen,) = [pilot for pilot in distilled.pilots_ if pilot["chosen"]]
    assert chosen["learns from"] == "far transfer set"
    for epoch in distilled.student_[-1].history:
        sizes = [
            batch.get(f"{name}_batch_size", 0)
            for batch in epoch["batches"]
            for name in ("train", "valid")
        ]
        assert sum(sizes) == 1500 + 20


def test_callbacks_stop_a_net_that_learns_by_chunks(data, small_blocks):
    pytest.importorskip("skorch")
    from skorch.callbacks import EarlyStopping

    X, y = data
    net = make_net(max_epochs=50, callbacks=[EarlyStopping(patience=2, threshold=0.5)])
    distilled = distil(X[:600], y[:600], np.array_split(X[600:4000], 3), net)
    assert len(distilled.student_[-1].history) == 3


@pytest.mark.slow
def test_a_net_without_shuffling_learns_one_buffer_as_the_whole(data):
    """No split, one batch an epoch of the given rows: updates of the same batches."""
    X, y = data
    net = make_net(train_split=None, batch_size=100, max_epochs=2)
    whole, chunked = (
        distil(X[:600], y[:600], U, net)
        for U in (X[600:2000], np.array_split(X[600:2000], 3))
    )
    np.testing.assert_array_equal(
        whole.predict_proba(X[4000:]), chunked.predict_proba(X[4000:])
    )


# Serving ------------------------------------------------------------------------------


def test_a_student_serves_partitions(data, distilled):
    dd = pytest.importorskip("dask.dataframe")
    X, _ = data
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=4)
    student = distilled.student_

    def serve(part):
        return pd.DataFrame(student.predict_proba(part.to_numpy()), index=part.index)

    served = frame.map_partitions(serve, meta=dict.fromkeys(range(3), float))
    np.testing.assert_array_equal(served.compute(), student.predict_proba(X))


def test_an_onnx_file_serves_partitions(data, distilled, tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    onnxruntime = pytest.importorskip("onnxruntime")
    from skdistill.export import to_onnx

    X, _ = data
    path = tmp_path / "student.onnx"
    to_onnx(distilled, X[:200], path=path)
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=4)

    def serve(part):
        # A session can't travel: each partition opens the file.
        session = onnxruntime.InferenceSession(path)
        rows = part.to_numpy(dtype="float32")
        return pd.DataFrame(session.run(None, {"X": rows})[1], index=part.index)

    served = frame.map_partitions(serve, meta=dict.fromkeys(range(3), "float32"))
    np.testing.assert_allclose(served.compute(), distilled.predict_proba(X), atol=1e-5)


def test_a_student_serves_in_parallel_post_fit(data, distilled):
    dd = pytest.importorskip("dask.dataframe")
    pytest.importorskip("dask_ml")
    wrappers = importlib.import_module("dask_ml.wrappers")
    X, _ = data
    wrapped = wrappers.ParallelPostFit(
        distilled.student_, predict_proba_meta=np.zeros((1, 3))
    )
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=4)
    served = wrapped.predict_proba(frame).compute()
    np.testing.assert_array_equal(served, distilled.predict_proba(X))
