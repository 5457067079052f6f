"""Work that splits: the same bytes wherever it is done, on no more than the cores."""

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import CancelledError

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier

from skdistill import DistilledClassifier
from skdistill._labels import _teacher
from skdistill._tasks import Shared, Tasks, share_cores

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_classification(900, n_informative=6, n_classes=3, random_state=0)

VOTE = VotingClassifier(
    [
        ("forest", RandomForestClassifier(10, max_depth=6, random_state=0)),
        ("boosted", LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1)),
        ("linear", LogisticRegression(max_iter=200)),
    ],
    voting="soft",
)

BACKENDS = ["sequential", "threading", "loky"]


def label(teacher, table, work=None):
    return _teacher.label_rows(teacher, table, work=work or Tasks(joblib.Memory(None)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["C", "F", "frame", "list"])
def test_labels_do_not_depend_on_where_they_are_made(backend, kind, monkeypatch):
    """They are `predict_proba`'s own answers, and the same bytes everywhere."""
    monkeypatch.setattr(_teacher, "_CHUNK", 200)
    table = {
        "C": X,
        "F": np.asfortranarray(X),
        "frame": pd.DataFrame(X).set_axis(list("abcdefghijklmnopqrst"), axis=1),
        "list": X.tolist(),
    }[kind]
    fitted = VOTE.fit(table, y)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = label(fitted, table)
    assert found.tobytes() == label(fitted, table).tobytes()
    whole = fitted.predict_proba(X if kind == "list" else table)
    np.testing.assert_allclose(found, whole, rtol=1e-12)


def test_a_shared_travels_with_its_arrays_beside_it():
    fitted = VOTE.fit(X, y)
    shared = Shared({"rows": X, "teacher": fitted, "empty": np.empty((0, 3))})
    arrays = []
    data = pickle.dumps(shared, protocol=5, buffer_callback=arrays.append)
    assert len(data) < X.nbytes / 10
    again = pickle.loads(data, buffers=arrays).value
    np.testing.assert_array_equal(again["rows"], X)
    assert (
        again["teacher"].predict_proba(X).tobytes() == VOTE.predict_proba(X).tobytes()
    )
    # Packed once: every task gets the same arrays, which joblib recognises.
    assert all(
        one is two
        for one, two in zip(
            shared.__reduce__()[1][0], shared.__reduce__()[1][0], strict=True
        )
    )
    assert shared.__sizeof__() > X.nbytes


def list_n_jobs(vote):
    """Of the parts that were fitted, those that a fit clones, and the whole."""
    parts = [*vote.estimators_, *(part for _, part in vote.estimators), vote]
    return [part.n_jobs for part in parts]


def test_parts_share_the_cores_in_a_copy():
    vote = VotingClassifier(
        [
            ("forest", RandomForestClassifier(3, n_jobs=-1)),
            ("boosted", LGBMClassifier(n_estimators=2, verbose=-1)),
            ("one", RandomForestClassifier(2)),
        ],
        voting="soft",
    ).fit(X, y)
    before = [-1, None, None] * 2 + [None]
    assert list_n_jobs(vote) == before
    assert list_n_jobs(share_cores(vote, 1)) == [1, 1, None] * 2 + [None]
    assert list_n_jobs(share_cores(vote, 1, alone=True)) == [1, 1, 1] * 2 + [1]
    assert list_n_jobs(share_cores(vote, None, alone=True)) == [-1, None, 1] * 2 + [1]
    assert share_cores(vote, None) is vote
    # A frozen teacher may be at work in another thread meanwhile.
    assert list_n_jobs(vote) == before
    limited = share_cores(FrozenEstimator(vote), 1)
    assert (
        limited.estimator.estimators_[0].estimators_ is vote.estimators_[0].estimators_
    )
    np.testing.assert_allclose(limited.predict_proba(X), vote.predict_proba(X))


def test_an_estimator_that_holds_itself_is_walked_once():
    forest = RandomForestClassifier(3, n_jobs=-1)
    forest.me = [forest]
    assert share_cores(forest, 1).n_jobs == 1


PARTS = {
    "network": (VOTE, MLPClassifier((8,), max_iter=15)),
    "forest": (LogisticRegression(max_iter=200), RandomForestClassifier(5)),
}


def distil(name, **params):
    teacher, student = PARTS[name]
    return DistilledClassifier(teacher, student, random_state=0, **params)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_a_fit_gives_the_same_bytes_everywhere(name, backend):
    """Folds, chunks and pilots, by workers and without."""
    given = {"X": X[:700], "y": y[:700], "X_unlabeled": X[700:]}
    alone = distil(name, cv=3).fit(**given)
    with joblib.parallel_config(backend=backend):
        together = distil(name, cv=3, n_jobs=2).fit(**given)
    assert len(alone.pilots_) > 2
    assert together.pilots_ == alone.pilots_
    assert together.calibration_ == alone.calibration_
    assert pickle.dumps(together.student_) == pickle.dumps(alone.student_)
    assert together.predict_proba(X).tobytes() == alone.predict_proba(X).tobytes()


def test_backends_that_give_all_answers_at_once_do_too():
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        calls = ((number,) for number in range(-9, 1))
        assert list(Tasks().run(abs, calls)) == list(range(9, -1, -1))


def test_answers_that_got_lost_are_asked_for_again():
    """As where a worker of a cluster takes with it what was scattered to it."""
    lost, answered = {3: 2, 17: 1, 18: 1}, []

    def answer(number):
        assert number not in answered
        if lost.get(number, 0):
            lost[number] -= 1
            raise CancelledError
        return number

    def run():
        answered.clear()
        with joblib.parallel_config(backend="threading", n_jobs=2):
            calls = ((number,) for number in range(30))
            for number in Tasks().run(answer, calls):
                answered.append(number)

    run()
    assert answered == list(range(30))
    assert not any(lost.values())
    lost[3] = 100
    with pytest.raises(CancelledError):
        run()


def test_nets_take_turns_at_torchs_generator():
    """Threads share it, and each pilot of a net must draw what it would alone."""
    torch = pytest.importorskip("torch")

    class Module(torch.nn.Sequential):
        def __init__(self):
            super().__init__(
                torch.nn.Linear(20, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
            )

    net = NeuralNetClassifier(
        Module,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=4,
        iterator_train__shuffle=True,
        verbose=0,
    )

    def make():
        return DistilledClassifier(VOTE, net, random_state=0)

    rows = X.astype(np.float32)
    alone = make().fit(rows, y)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        together = make().fit(rows, y)
    assert together.pilots_ == alone.pilots_
    assert together.predict_proba(rows).tobytes() == alone.predict_proba(rows).tobytes()


NESTED = """
import json, sys
import joblib, numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_info
from skdistill import DistilledClassifier, _teacher
from skdistill._tasks import Tasks

class Witness(VotingClassifier):
    def note(self, what, parts):
        pools = [pool["num_threads"] for pool in threadpool_info()]
        jobs = [joblib.effective_n_jobs(part.n_jobs or -1) for part in parts]
        with open("log", "a") as log:
            log.write(json.dumps([what, max(jobs), max(pools)]) + "\\n")

    def fit(self, X, y):
        self.note("fit", [part for _, part in self.estimators])
        return super().fit(X, y)

    def predict_proba(self, X):
        self.note("label", self.estimators_)
        return super().predict_proba(X)

X, y = make_classification(400, random_state=0)
parts = RandomForestClassifier(2, n_jobs=-1), LGBMClassifier(n_estimators=2, verbose=-1)
witness = Witness([("forest", parts[0]), ("boosted", parts[1])], voting="soft")
witness.note("alone", parts)
_teacher._CHUNK = 100
with joblib.parallel_config(backend=sys.argv[1]):
    splits = list(KFold(2).split(X))
    _teacher.cross_label(witness, X, y, splits, {}, np.unique(y), work=Tasks(n_jobs=2))
    fitted = VotingClassifier.fit(witness, X, y)
    _teacher.label_rows(fitted, X, work=Tasks(n_jobs=2))
"""


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_two_tasks_ask_for_half_of_the_cores_each(backend, tmp_path):
    """Of forests, LightGBM, OpenMP and BLAS, each of which would take all."""
    # Two of the cores, as many threads as anything wants.
    threads = [name for name in os.environ if name.endswith("_NUM_THREADS")]
    env = {k: v for k, v in os.environ.items() if k not in threads}
    subprocess.run(
        [sys.executable, "-c", NESTED, backend],
        cwd=tmp_path,
        env=env | {"LOKY_MAX_CPU_COUNT": "2"},
        check=True,
    )
    (_, jobs, pools), *tasks = map(json.loads, (tmp_path / "log").open())
    if os.cpu_count() > 1:
        assert jobs == 2
        assert pools > 1
    kinds = [what for what, *_ in tasks]
    assert kinds.count("fit") == 2
    # Of the two folds, and of the four chunks.
    assert kinds.count("label") > 6
    assert {(jobs, pools) for _, jobs, pools in tasks} == {(1, 1)}
