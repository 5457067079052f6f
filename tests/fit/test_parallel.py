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
from _core import Table, add_numbers, clip
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

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

BACKENDS = ["threading", "loky"]


#: So many rows that their labels are made in three chunks.
MANY = add_numbers(np.random.default_rng(0).normal(size=(100_500, 2)))
MANY_Y = np.arange(len(MANY)) % 2


def learn(teacher, rows=MANY, **params):
    """Return what a student learns from a frozen teacher."""
    distilled = DistilledClassifier(
        FrozenEstimator(teacher), Table(), augmenter=None, **params
    )
    return distilled.fit(rows, MANY_Y[: len(rows)]).student_.mass_


@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("C", "threading"),
        ("F", "threading"),
        ("frame", "threading"),
        ("list", "threading"),
        ("C", "loky"),
        ("frame", "loky"),
    ],
)
@pytest.mark.slow
def test_labels_do_not_depend_on_where_they_are_made(backend, kind):
    """They are `predict_proba`'s own answers, and the same bytes everywhere."""
    table = {
        "C": MANY,
        "F": np.asfortranarray(MANY),
        "frame": pd.DataFrame(MANY, columns=list("abc")),
        "list": MANY.tolist(),
    }[kind]
    fitted = VOTE.fit(table[:300], MANY_Y[:300])
    alone = learn(fitted, table)
    with joblib.parallel_config(backend=backend):
        assert learn(fitted, table, n_jobs=2).tobytes() == alone.tobytes()
    whole = fitted.predict_proba(MANY if kind == "list" else table)
    np.testing.assert_allclose(alone, clip(whole, MANY_Y), rtol=1e-12)


class Large(GaussianNB):
    """A teacher with a large array, which leaves a file where that is writeable."""

    def __init__(self, folder=None):
        super().__init__()
        self.folder = folder

    def fit(self, X, y):
        self.large_ = np.ones(500_000)
        return super().fit(X, y)

    def predict_proba(self, X):
        kind = "copied" if self.large_.flags.writeable else "mapped"
        (self.folder / f"{kind}-{os.getpid()}-{len(X)}-{X[0, -1]:.0f}").touch()
        return super().predict_proba(X)


@pytest.mark.slow
def test_large_arrays_of_a_teacher_are_mapped_by_processes_not_copied(tmp_path):
    teacher = Large(tmp_path).fit(MANY[:300], MANY_Y[:300])
    learn(teacher, n_jobs=2)
    files = [path.name for path in tmp_path.iterdir()]
    # A frozen teacher is asked for 4,000 rows a call.
    assert len(files) == -(-len(MANY) // 4000)
    assert all(name.startswith("mapped") for name in files)
    assert all(str(os.getpid()) not in name for name in files)


class Noting(VotingClassifier):
    """Notes `n_jobs` of its parts whenever it is fitted or asked."""

    notes = []

    def fit(self, X, y, sample_weight=None):
        Noting.notes.append(
            ("fit", len(X), [part.n_jobs for _, part in self.estimators])
        )
        return super().fit(X, y)

    def predict_proba(self, X):
        n_jobs = [part.n_jobs for part in self.estimators_]
        Noting.notes.append(("ask", len(X), n_jobs))
        return super().predict_proba(X)


def make_noting():
    return Noting(
        [
            ("forest", RandomForestClassifier(3, n_jobs=-1, random_state=0)),
            ("boosted", LGBMClassifier(n_estimators=2, verbose=-1)),
            ("one", RandomForestClassifier(2, random_state=0)),
        ],
        voting="soft",
    )


def test_parts_share_the_cores_in_a_copy():
    rows, labels = add_numbers(X[:, :4]), y
    distilled = DistilledClassifier(
        make_noting(), Table(), cv=2, n_jobs=2, augmenter=None, calibrate=False
    )
    Noting.notes.clear()
    with joblib.parallel_config(backend="threading"):
        distilled.fit(rows, labels)
    share = max(1, joblib.cpu_count() // 2)
    # Where one core is all there is, one of two tasks asks for no less.
    limited = [share, share] if joblib.cpu_count() > 1 else [-1, None]
    for what, n_rows, n_jobs in Noting.notes:
        if n_rows == 450:
            # scikit-learn's None is 1 where the result would depend on threads.
            assert n_jobs == [*limited, None if what == "fit" else 1]
        else:
            # The teacher on all rows has the machine to itself.
            assert n_rows == 900
            assert n_jobs == [-1, None, None if what == "fit" else 1]
    assert len(Noting.notes) >= 6
    vote = distilled.teacher_
    assert [part.n_jobs for part in vote.estimators_] == [-1, None, None]
    # A frozen teacher may be at work in another thread meanwhile.
    again = DistilledClassifier(FrozenEstimator(vote), Table(), n_jobs=2)
    again.set_params(augmenter=None).fit(rows, labels)
    assert again.teacher_.estimator is vote
    assert [part.n_jobs for part in vote.estimators_] == [-1, None, None]
    assert [part.n_jobs for _, part in vote.estimators] == [-1, None, None]


def test_what_a_search_tries_shares_the_cores():
    search = GridSearchCV(
        Noting([("linear", LogisticRegression())]),
        {"linear": [RandomForestClassifier(2, n_jobs=-1)], "voting": ["soft"]},
        cv=2,
    )
    distilled = DistilledClassifier(
        search, Table(), cv=2, n_jobs=2, augmenter=None, calibrate=False
    )
    Noting.notes.clear()
    with joblib.parallel_config(backend="threading"):
        distilled.fit(add_numbers(X[:, :4]), y)
    most = max(1, joblib.cpu_count() // 2)
    folds = {n_jobs[0] for _, n_rows, n_jobs in Noting.notes if n_rows == 450 // 2}
    assert folds == {most if joblib.cpu_count() > 1 else -1}
    assert search.param_grid["linear"][0].n_jobs == -1


def test_an_estimator_that_holds_itself_is_walked_once():
    forest = RandomForestClassifier(3, n_jobs=-1, random_state=0)
    forest.fit(MANY[:300], MANY_Y[:300]).me = [forest]
    rows = MANY[:300]
    expected = clip(forest.predict_proba(rows), MANY_Y[:300])
    np.testing.assert_allclose(learn(forest, rows, n_jobs=2), expected)


PARTS = {
    "network": (VOTE, MLPClassifier((8,), max_iter=15)),
    "forest": (LogisticRegression(max_iter=200), RandomForestClassifier(5)),
}


def distil(name, **params):
    teacher, student = PARTS[name]
    return DistilledClassifier(teacher, student, random_state=0, **params)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.slow
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


def fit_folds(teacher=None, **params):
    rows = MANY[:600]
    distilled = DistilledClassifier(
        teacher or GaussianNB(), Table(), cv=8, augmenter=None, **params
    )
    return distilled.fit(rows, MANY_Y[:600]).student_.mass_.tobytes()


@pytest.mark.slow
def test_backends_that_give_all_answers_at_once_do_too():
    alone = fit_folds()
    with joblib.parallel_config(backend="multiprocessing"):
        assert fit_folds(n_jobs=2) == alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["X_val", "X_unlabeled"])
def test_large_tables_reach_the_workers_of_a_search(name):
    """joblib maps them into the workers' memory, where they are no chunks."""
    rows = np.tile(X, (30, 1))
    given = {"X_val": rows, "y_val": np.tile(y, 30)}
    given = given if name == "X_val" else {name: rows}
    # By chunks this network would learn in another order.
    network = MLPClassifier((4,), max_iter=3)
    params = {"augmenter": None, "pilot": 0, "calibrate": False, "random_state": 0}
    distilled = DistilledClassifier(GaussianNB(), network, **params)
    alone, together = (
        GridSearchCV(
            *(distilled, {"alpha": [1.0, 0.5]}),
            cv=2,
            scoring="neg_log_loss",
            error_score="raise",
            refit=False,
            n_jobs=n_jobs,
        )
        .fit(X[:300], y[:300], **given)
        .cv_results_["mean_test_score"]
        for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(together, alone)


class Losing(GaussianNB):
    """Is cancelled as often as its fits, told by their last row, are to be lost."""

    lost = {}

    def fit(self, X, y, sample_weight=None):
        fold = int(X[-1, -1])
        if Losing.lost.get(fold, 0):
            Losing.lost[fold] -= 1
            raise CancelledError
        return super().fit(X, y)


def test_answers_that_got_lost_are_asked_for_again():
    """As where a worker of a cluster takes with it what was scattered to it."""
    alone = fit_folds()
    Losing.lost.update({599: 2})
    with joblib.parallel_config(backend="threading"):
        assert fit_folds(Losing(), n_jobs=2) == alone
        assert Losing.lost == {599: 0}
        Losing.lost[599] = 100
        with pytest.raises(CancelledError):
            fit_folds(Losing(), n_jobs=2)
    Losing.lost.clear()


@pytest.mark.slow
def test_nets_take_turns_at_torchs_generator():
    """Threads share it, and each pilot of a net must draw what it would alone."""
    torch = pytest.importorskip("torch")
    # Imported here, for workers import this file.
    from skorch import NeuralNetClassifier

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
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB
from threadpoolctl import threadpool_info
from skdistill import DistilledClassifier

class Witness(VotingClassifier):
    def note(self, what, parts, n_rows):
        pools = [pool["num_threads"] for pool in threadpool_info()]
        jobs = [joblib.effective_n_jobs(part.n_jobs or -1) for part in parts]
        with open(self.backend, "a") as log:
            log.write(json.dumps([what, n_rows, max(jobs), max(pools)]) + "\\n")

    def fit(self, X, y):
        self.note("fit", [part for _, part in self.estimators], len(X))
        return super().fit(X, y)

    def predict_proba(self, X):
        self.note("label", self.estimators_, len(X))
        return super().predict_proba(X)

X, y = make_classification(400, 4, random_state=0)
parts = RandomForestClassifier(2, n_jobs=-1), LGBMClassifier(n_estimators=2, verbose=-1)
many = np.resize(X, (100_500, 4))
given = dict(student=GaussianNB(), augmenter=None, calibrate=False, n_jobs=2)
for backend in sys.argv[1:]:
    witness = Witness([("forest", parts[0]), ("boosted", parts[1])], voting="soft")
    Witness.backend = backend  # of the class: a fit clones its parts
    witness.note("alone", parts, 0)
    with joblib.parallel_config(backend=backend):
        DistilledClassifier(witness, cv=2, **given).fit(X, y)
        fitted = FrozenEstimator(VotingClassifier.fit(witness, X, y))
        DistilledClassifier(fitted, **given).fit(many, np.arange(len(many)) % 2)
"""


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """A folder with what each backend noted, in one process."""
    folder = tmp_path_factory.mktemp("nested")
    # Two of the cores, as many threads as anything wants.
    threads = [name for name in os.environ if name.endswith("_NUM_THREADS")]
    env = {k: v for k, v in os.environ.items() if k not in threads}
    subprocess.run(
        [sys.executable, "-c", NESTED, *BACKENDS],
        cwd=folder,
        env=env | {"LOKY_MAX_CPU_COUNT": "2"},
        check=True,
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_tasks_ask_for_half_of_the_cores_each(backend, nested):
    """Forests, LightGBM, OpenMP and BLAS would each take all of them."""
    (_, _, jobs, pools), *tasks = map(json.loads, (nested / backend).open())
    if os.cpu_count() > 1:
        assert jobs == 2
        assert pools > 1
    # The teacher on all 400 rows has the machine to itself.
    shared = [task for task in tasks if task[1] != 400]
    kinds = [(what, n_rows) for what, n_rows, *_ in shared]
    # Two folds, and the calls for many rows, of 4,000 each.
    assert kinds.count(("fit", 200)) == 2
    assert kinds.count(("label", 200)) >= 2
    assert kinds.count(("label", 4000)) == 25
    assert kinds.count(("label", 500)) == 1
    assert {(jobs, pools) for *_, jobs, pools in shared} == {(1, 1)}
