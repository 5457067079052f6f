"""On a cluster: two worker processes of Dask, over loopback; Ray where it is there."""

import os
import pickle
import signal
import time

import joblib
import numpy as np
import pytest
from _core import Table, add_numbers, clip
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

distributed = pytest.importorskip(
    "distributed", reason='needs the extra "dask": pip install "skdistill[dask]"'
)

X, y = make_classification(900, n_informative=6, n_classes=3, random_state=0)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def make(**params):
    network = MLPClassifier((8,), max_iter=15)
    return DistilledClassifier(
        LogisticRegression(max_iter=200), network, random_state=0, **params
    )


@pytest.mark.slow
def test_a_fit_gives_the_same_bytes(client):
    given = {"X": X[:700], "y": y[:700], "X_unlabeled": X[700:]}
    alone = make(cv=3).fit(**given)
    with joblib.parallel_config(backend="dask"):
        together = make(cv=3).fit(**given)
    assert together.pilots_ == alone.pilots_
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)
    assert together.predict_proba(X).tobytes() == alone.predict_proba(X).tobytes()


@pytest.mark.slow
def test_a_search_finds_the_same(client):
    grid = {"student__alpha": [1e-4, 10.0], "temperature": [1.0, 2.0]}
    search = GridSearchCV(make(augmenter=None, calibrate=False), grid, cv=2)
    rows, labels = X[:300], y[:300]
    alone = search.fit(rows, labels).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        search.fit(rows, labels)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone)


def note_worker(folder, what):
    """Leave a file that says who did it."""
    path = folder / f"{what}-{os.getpid()}-{time.monotonic_ns()}"
    path.touch()


def list_workers(folder, what):
    """Who did it how often, but for this process."""
    workers = [path.name.split("-")[1] for path in folder.glob(f"{what}-*")]
    return [worker for worker in workers if worker != str(os.getpid())]


class Traveller(LogisticRegression):
    """Counts its journeys: a file for each time that it is unpickled."""

    def __init__(self, folder=None):
        super().__init__(max_iter=200)
        self.folder = folder

    def __setstate__(self, state):
        super().__setstate__(state)
        if "coef_" in state:
            note_worker(self.folder, "arrived")

    def predict_proba(self, X):
        note_worker(self.folder, "labelled")
        # Long enough that both workers get their share.
        time.sleep(0.05)
        return super().predict_proba(X)


@pytest.mark.slow
def test_the_teacher_travels_to_each_worker_once(client, tmp_path):
    # A frozen teacher labels them in four calls.
    rows = add_numbers(np.random.default_rng(0).normal(size=(12_500, 2)))
    labels = (rows[:, 0] > 0).astype(int)
    teacher = Traveller(tmp_path).fit(rows[:300], labels[:300])
    # Dask takes what is small along with each task.
    teacher.large_ = np.ones(10_000)
    distilled = DistilledClassifier(FrozenEstimator(teacher), Table(), augmenter=None)
    with joblib.parallel_config(backend="dask"):
        found = distilled.fit(rows, labels).student_.mass_
    workers = list_workers(tmp_path, "labelled")
    assert len(set(workers)) == 2
    assert sorted(list_workers(tmp_path, "arrived")) == sorted(set(workers))
    expected = clip(teacher.predict_proba(rows), labels)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


class Victim(LogisticRegression):
    """The first fit in a worker ends the worker, as a machine that fails."""

    def __init__(self, folder=None, home=None):
        super().__init__(max_iter=200)
        self.folder = folder
        self.home = home

    def fit(self, X, y, sample_weight=None):
        strikes = os.getpid() != self.home and not any(self.folder.glob("struck-*"))
        note_worker(self.folder, "struck" if strikes else "fitted")
        if strikes:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, sample_weight)


@pytest.mark.slow
def test_a_worker_that_dies_costs_a_retry(client, tmp_path):
    def fit(name):
        (tmp_path / name).mkdir()
        victim = Victim(tmp_path / name, os.getpid())
        student = MLPClassifier((8,), max_iter=15)
        return DistilledClassifier(victim, student, cv=4, random_state=0).fit(X, y)

    alone = fit("alone")
    with joblib.parallel_config(backend="dask"):
        together = fit("together")
    assert len(list_workers(tmp_path / "together", "struck")) == 1
    # Four folds, and all rows; what the dead worker had done may be done again.
    assert len(list((tmp_path / "together").glob("fitted-*"))) >= 5
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)
