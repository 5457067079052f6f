"""On Dask, Ray and Spark, through the backends that they register with joblib.

Ray and Spark are not in the test extra: `pip install ray joblibspark pyspark` and
Java, then `pytest -m engines tests/fit/test_engines.py`.
"""

import os
import pickle
import signal
import sys
import time
from contextlib import suppress

import joblib
import numpy as np
import pytest
from _core import Table, add_numbers, clip
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_classification(900, n_informative=6, n_classes=3, random_state=0)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip(
        "distributed", reason='needs the extra "dask": pip install "skdistill[dask]"'
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def dask(cluster):
    import distributed

    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@pytest.fixture(scope="module")
def workers_path():
    """Workers import what the tests import, this file among it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = os.path.dirname(__file__)
        folders = os.pathsep.join([folder, os.path.dirname(folder)])
        patch.setenv("PYTHONPATH", folders, prepend=os.pathsep)
        # Spark's workers would be those of the first python on the path.
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        yield os.environ["PYTHONPATH"]


@pytest.fixture(scope="module")
def ray(workers_path):
    ray = pytest.importorskip("ray", reason="needs ray, which is not installed")
    from ray.util.joblib import register_ray

    register_ray()
    environment = {"env_vars": {"PYTHONPATH": workers_path}}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=environment)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def spark(workers_path):
    pytest.importorskip("joblibspark", reason="needs joblibspark and pyspark")
    from joblibspark import register_spark
    from pyspark.sql import SparkSession

    register_spark()
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    # Four attempts a task, as a cluster has; a local engine has one.
    builder = SparkSession.builder.master("local[2,4]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


DASK = pytest.param("dask", marks=pytest.mark.slow)
RAY = pytest.param("ray", marks=pytest.mark.engines)
SPARK = pytest.param("spark", marks=pytest.mark.engines)
ENGINES = pytest.mark.parametrize("engine", [DASK, RAY, SPARK])


def make(**params):
    network = MLPClassifier((8,), max_iter=15)
    teacher = LogisticRegression(max_iter=200)
    return DistilledClassifier(teacher, network, random_state=0, **params)


@ENGINES
def test_a_fit_gives_the_same_bytes(engine, request):
    request.getfixturevalue(engine)
    given = {"X": X[:700], "y": y[:700], "X_unlabeled": X[700:]}
    alone = make(cv=3).fit(**given)
    with joblib.parallel_config(backend=engine, n_jobs=2):
        together = make(cv=3).fit(**given)
    assert together.pilots_ == alone.pilots_
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)
    assert together.predict_proba(X).tobytes() == alone.predict_proba(X).tobytes()


@ENGINES
def test_a_search_finds_the_same(engine, request):
    request.getfixturevalue(engine)
    grid = {"student__alpha": [1e-4, 1.0], "temperature": [1.0, 3.0]}
    search = GridSearchCV(make(augmenter=None), grid, cv=3, scoring="neg_log_loss")
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend=engine, n_jobs=2):
        together = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(together, alone)


class Traveller(LogisticRegression):
    """Counts its journeys: a file for each time that it is unpickled."""

    def __init__(self, folder=None):
        super().__init__(max_iter=200)
        self.folder = folder

    def __setstate__(self, state):
        super().__setstate__(state)
        if "coef_" in state:
            self._note("arrived")

    def _note(self, what):
        (self.folder / f"{what}-{os.getpid()}-{time.monotonic_ns()}").touch()

    def predict_proba(self, X):
        self._note("labelled")
        # Long enough that both workers get their share.
        time.sleep(0.05)
        return super().predict_proba(X)


@pytest.mark.slow
def test_the_teacher_travels_to_each_worker_once(dask, tmp_path):
    # A frozen teacher labels them in four calls.
    rows = add_numbers(np.random.default_rng(0).normal(size=(12_500, 2)))
    labels = (rows[:, 0] > 0).astype(int)
    teacher = Traveller(tmp_path).fit(rows[:300], labels[:300])
    # Dask takes what is small along with each task.
    teacher.large_ = np.ones(10_000)
    distilled = DistilledClassifier(FrozenEstimator(teacher), Table(), augmenter=None)
    with joblib.parallel_config(backend="dask"):
        found = distilled.fit(rows, labels).student_.mass_
    done = {"labelled": [], "arrived": []}
    for path in tmp_path.iterdir():
        what, worker, _ = path.name.split("-")
        if worker != str(os.getpid()):
            done[what].append(worker)
    workers = set(done["labelled"])
    assert len(workers) == 2
    assert sorted(done["arrived"]) == sorted(workers)
    expected = clip(teacher.predict_proba(rows), labels)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


class DiesOnce(ClassifierMixin, BaseEstimator):
    """Kills the worker that is the first to fit it, but never the tests."""

    def __init__(self, flag, home):
        self.flag = flag
        self.home = home

    def fit(self, X, y):
        if os.getpid() != self.home:
            with suppress(FileExistsError):
                os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
                os.kill(os.getpid(), signal.SIGKILL)
        self.model_ = LogisticRegression(max_iter=200).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


@pytest.mark.parametrize("engine", [DASK, SPARK])
def test_the_task_of_a_worker_that_died_is_repeated(engine, request, tmp_path):
    request.getfixturevalue(engine)
    flag = tmp_path / "died"
    distilled = make(cv=3).set_params(teacher=DiesOnce(str(flag), os.getpid()))
    with joblib.parallel_config(backend=engine, n_jobs=2):
        together = distilled.fit(X, y)
    assert flag.exists()
    alone = clone(distilled).fit(X, y)
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)


@pytest.mark.engines
def test_ray_raises_where_a_worker_died_and_the_fit_leaves_no_state(ray, tmp_path):
    """Ray's pool does not repeat a task."""
    flag = tmp_path / "died"
    distilled = make(cv=3).set_params(teacher=DiesOnce(str(flag), os.getpid()))
    with joblib.parallel_config(backend="ray", n_jobs=2):
        with pytest.raises(ray.exceptions.RayActorError):
            distilled.fit(X, y)
        assert flag.exists()
        assert not hasattr(distilled, "student_")
        together = distilled.fit(X, y)
    alone = clone(distilled).fit(X, y)
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)
