"""The same bytes whatever the number of threads that BLAS may use."""

import pickle
import shutil
import threading

import joblib
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from skdistill import DistilledClassifier
from skdistill.transfer import Munge

X, y = make_classification(
    1000, 50, n_informative=30, n_classes=4, flip_y=0.2, random_state=0
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:The teacher:UserWarning"
)


def list_blas():
    return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]


def count_threads():
    return max(pool["num_threads"] for pool in list_blas())


class Tree(DecisionTreeClassifier):
    """A teacher that notes how many threads BLAS has while it labels, and where."""

    seen = []

    def predict_proba(self, X, check_input=True):
        self.seen.append((count_threads(), threading.current_thread().name))
        return super().predict_proba(X)


def check_one_thread_labels(n_jobs=None):
    Tree.seen.clear()
    params = {"augmenter": None, "cv": 2, "n_jobs": n_jobs, "random_state": 0}
    with threadpool_limits(2, user_api="blas"):
        before = threadpool_info()
        if count_threads() != 2:
            pytest.skip("BLAS has one thread")
        DistilledClassifier(Tree(), LogisticRegression(), **params).fit(X, y)
        assert threadpool_info() == before
    assert {count for count, _ in Tree.seen} == {1}


def fit(student, n_threads):
    est = DistilledClassifier(
        DecisionTreeClassifier(min_samples_leaf=10), student, random_state=0
    )
    with threadpool_limits(n_threads, user_api="blas"):
        return est.fit(X, y)


@pytest.mark.parametrize(
    "student",
    [MLPClassifier((200,), max_iter=2, batch_size=500), LogisticRegression()],
    ids=["network", "logistic"],
)
@pytest.mark.slow
def test_a_fit_gives_the_same_bytes(student):
    one, two = fit(student, 1), fit(student, 2)
    assert one.pilots_ == two.pilots_
    assert one.calibration_ == two.calibration_
    assert pickle.dumps(one.student_) == pickle.dumps(two.student_)


def test_samplers_draw_the_same_bytes():
    drawn = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            drawn.append(Munge().fit(X).sample(1000, random_state=0))
    assert drawn[0].tobytes() == drawn[1].tobytes()


def test_only_the_fit_of_the_teacher_has_the_threads_of_the_user():
    seen = {}

    class Tree(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.setdefault(len(X), count_threads())
            return super().fit(X, y, sample_weight)

        def predict_proba(self, X, check_input=True):
            seen["labels"] = count_threads()
            return super().predict_proba(X)

    with threadpool_limits(2, user_api="blas"):
        if count_threads() != 2:
            pytest.skip("BLAS has one thread")
        DistilledClassifier(Tree(), LogisticRegression(), random_state=0).fit(X, y)
        # Afterwards they are what they were.
        assert count_threads() == 2
    assert seen == {800: 1, 1000: 2, "labels": 1}


def test_threads_that_label_have_one_too():
    with joblib.parallel_config(backend="threading"):
        check_one_thread_labels(n_jobs=2)
    assert len({name for _, name in Tree.seen}) > 1


def test_a_library_that_is_loaded_between_two_fits_is_limited(tmp_path, monkeypatch):
    check_one_thread_labels()
    known = list_blas()
    path = shutil.copy(known[0]["filepath"], tmp_path)
    (tmp_path / "loaded_late.py").write_text(f"import ctypes\nctypes.CDLL({path!r})")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("loaded_late")
    assert len(list_blas()) == len(known) + 1
    check_one_thread_labels()
