"""`max_labels`: what teachers are asked for, what for, and what a failure loses."""

import inspect
import re
import signal
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest
from _core import Table, add_numbers, clip
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import (
    DistilledClassifier,
    DistilledRegressor,
    FunctionClassifier,
    FunctionRegressor,
)

ROWS, LABELS = make_classification(
    1500, 6, n_informative=4, n_classes=3, flip_y=0.1, random_state=0
)
HELD_OUT = {"X_val": ROWS[1000:1200], "y_val": LABELS[1000:1200]}
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
NET = MLPClassifier((4,), max_iter=3, random_state=0)

pytestmark = pytest.mark.filterwarnings("ignore")


class Counting(ClassifierMixin, BaseEstimator):
    """Counts the rows that it and its clones are asked for."""

    n_asked = 0

    def fit(self, X, y, sample_weight=None):
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        Counting.n_asked += len(X)
        return self.model_.predict_proba(X)


@pytest.mark.parametrize("n_unlabelled", [122, 123, 124])
def test_pilots_share_whole_rows(n_unlabelled):
    """1601 labels leave 370 for three tables: 123 each, and a third of a row."""
    model = DistilledClassifier(Counting(), NET, max_labels=1601, random_state=0)
    Counting.n_asked = 0
    with warnings.catch_warnings():
        warnings.filterwarnings("error", 'augmenter="auto" makes no')
        model.fit(
            *(ROWS[:600], LABELS[:600]),
            X_unlabeled=ROWS[1000 : 1000 + n_unlabelled],
        )
    assert model.labels_asked_["pilots"] == 3 * 123
    assert Counting.n_asked <= 1601


@pytest.mark.parametrize("n_repeats", [5, 150])
def test_many_splits_of_a_small_table_share_few_labels(n_repeats):
    """A quarter of the labels is for rows held out, and 750 splits have more rows."""
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=n_repeats, random_state=0)
    model, n_asked = distil("", 100, 2500, cv=cv)
    asked = model.labels_asked_
    assert asked["validation"] == min(100 * n_repeats, 620)
    # Splits have 60 rows or more for their candidates, and are cut to that number.
    assert 300 <= asked["pilots"] <= 500
    assert n_asked == sum(asked.values()) <= 2500


def test_trees_grow_on_training_rows_that_no_teacher_is_asked_for():
    student = LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1)
    params = {"augmenter": "munge", "calibrate": False, "pilot": 0, "temperature": 2.5}
    model, n_asked = distil("", 600, 500, student, **params)
    assert model.labels_asked_["transfer"] == n_asked == 500
    assert model.score(ROWS[1000:], LABELS[1000:]) > 0.6


@pytest.mark.parametrize(("n_held_out", "calibrates"), [(49, False), (50, True)])
def test_fifty_labels_of_validation_rows_calibrate(n_held_out, calibrates):
    teacher = FrozenEstimator(GaussianNB().fit(ROWS[:800], LABELS[:800]))
    model = DistilledClassifier(teacher, TREE, max_labels=1000, random_state=0)
    rows = slice(1000, 1000 + n_held_out)
    model.fit(ROWS[:800], LABELS[:800], X_val=ROWS[rows], y_val=LABELS[rows])
    assert (model.calibration_ is not None) == calibrates


def distil(kind, n_rows, max_labels, student=TREE, **params):
    """Fit, and return the estimator and what the teacher has counted."""
    X, y, fit = ROWS[:n_rows], LABELS[:n_rows], {}
    teacher = Counting()
    if "frozen" in kind:
        teacher = FrozenEstimator(teacher.fit(X, y))
    if "validation" in kind:
        fit |= HELD_OUT
    if "unlabelled" in kind:
        fit["X_unlabeled"] = ROWS[1200:]
    if "chunks" in kind:
        fit["X_unlabeled"] = [ROWS[1200:1300], ROWS[1300:]]
    params = {"cv": 3 if "cv" in kind else None, "n_synthetic": 1500, **params}
    distilled = DistilledClassifier(
        teacher, student, max_labels=max_labels, random_state=0, **params
    )
    Counting.n_asked = 0
    distilled.fit(X, y, **fit)
    return distilled, Counting.n_asked


@pytest.mark.parametrize(
    ("kind", "n_rows", "student"),
    [
        ("live", 600, NET),
        ("live, cv", 600, TREE),
        ("live, validation", 200, TREE),
        ("live, cv, validation", 200, NET),
        ("live, unlabelled", 200, TREE),
        ("frozen", 600, NET),
        ("frozen, validation, unlabelled", 600, NET),
        ("frozen, validation, chunks", 200, TREE),
    ],
)
def test_the_teacher_counts_no_more_and_as_many_as_are_said(
    capsys, kind, n_rows, student
):
    for most in (30, 2000, 8000):
        distilled, counted = distil(kind, n_rows, most, student, verbose=True)
        assert counted <= most
        assert sum(distilled.labels_asked_.values()) == counted
        lines = capsys.readouterr().out.splitlines()
        numbers = [re.search(r"([\d,]+) rows labelled by", line) for line in lines]
        said = [int(number[1].replace(",", "")) for number in numbers if number]
        assert sum(said) == counted
        assert f"{counted:,} of {most:,} labels were asked for: " in lines[-1]


@pytest.mark.parametrize("most", [1, 99, 100, 101, 250])
def test_blocks_are_labelled_from_their_first_row_to_the_last_that_may_be(most):
    asked = []

    def answer(rows):
        asked.extend(map(bytes, rows))
        return model.predict_proba(rows)

    model = GaussianNB().fit(ROWS[:600], LABELS[:600])
    teacher = FunctionClassifier(answer, model.classes_)
    distilled = DistilledClassifier(teacher, TREE, max_labels=most, augmenter=None)
    blocks = [ROWS[1200:1300], ROWS[1300:1500]]
    distilled.fit(ROWS[:600], LABELS[:600], X_unlabeled=blocks)
    assert asked == [*map(bytes, ROWS[1200 : 1200 + most])]


@pytest.mark.parametrize(
    ("most", "n_training"), [(99, 0), (100, 0), (150, 50), (5000, 600)]
)
def test_what_few_blocks_leave_goes_to_training_rows(most, n_training):
    teacher = FrozenEstimator(GaussianNB().fit(ROWS[:600], LABELS[:600]))
    distilled = DistilledClassifier(teacher, TREE, max_labels=most, augmenter=None)
    blocks = [ROWS[1200:1260], ROWS[1260:1300]]
    asked = distilled.fit(ROWS[:600], LABELS[:600], X_unlabeled=blocks).labels_asked_
    assert asked.get("training", 0) == n_training
    assert asked["transfer"] == min(most, 100)


def test_without_a_limit_the_counts_are_said_as_well():
    distilled, counted = distil("live", 600, None)
    assert sum(distilled.labels_asked_.values()) == counted


def test_a_budget_that_is_ample_changes_nothing():
    limited, counted = distil("frozen, validation", 600, 100_000, NET)
    free, expected = distil("frozen, validation", 600, None, NET)
    assert counted == expected
    np.testing.assert_array_equal(limited.predict_proba(ROWS), free.predict_proba(ROWS))


@pytest.mark.parametrize(
    ("most", "spent"),
    [
        # Too few to judge by.
        (100, {"transfer": 100}),
        (1000, {"validation": 200, "transfer": 800}),
        (1900, {"validation": 200, "transfer": 1500, "training": 200}),
        (3000, {"validation": 200, "transfer": 1500, "training": 600}),
    ],
)
def test_training_rows_come_last(most, spent):
    distilled, _ = distil("frozen, validation", 600, most, augmenter="munge")
    found = {name: n for name, n in distilled.labels_asked_.items() if n}
    assert found == spent


@pytest.mark.parametrize(
    ("most", "spent"),
    [
        (500, {"validation": 125, "transfer": 375}),
        (1000, {"validation": 200, "transfer": 800}),
        (1900, {"validation": 200, "transfer": 1500, "training": 200}),
    ],
)
def test_pilots_of_a_network_learn_the_transfer_set_of_the_student(most, spent):
    asked = []

    def answer(rows):
        asked.extend(map(bytes, rows))
        return model.predict_proba(rows)

    model = GaussianNB().fit(ROWS[:600], LABELS[:600])
    distilled = DistilledClassifier(
        FunctionClassifier(answer, model.classes_),
        NET,
        max_labels=most,
        n_synthetic=1500,
        random_state=0,
    ).fit(ROWS[:600], LABELS[:600], **HELD_OUT)
    assert distilled.labels_asked_ == spent
    # No row twice, but for a few that are made as copies of training rows.
    assert sum(spent.values()) == len(asked) < 1.01 * len(set(asked))
    names = [pilot["learns from"] for pilot in distilled.pilots_]
    # The last one within the error is learned: with the true labels of the training
    # rows, where they are most of the rows.
    sets = ["wide transfer set and training rows", "wide transfer set"]
    assert names == [*(sets[::-1] if most == 500 else sets), "true labels"]


@pytest.mark.parametrize(
    ("most", "pilots"),
    # 120 rows are held out, of 2,080 and 2,380 others. The student learns 600 and as
    # many synthetic ones, and the teacher of the pilots labels the 480 of its own.
    [(2200, 2080 // 4), (2500, 2380 - 600 - 600 - 480)],
)
def test_pilots_take_a_quarter_or_what_all_others_leave(most, pilots):
    distilled, _ = distil("live", 600, most, n_synthetic=600)
    assert distilled.labels_asked_["validation"] == 120
    assert distilled.labels_asked_["pilots"] == pilots


def test_pilots_have_a_set_of_each_distance_where_labels_are_enough():
    distilled, _ = distil("frozen, validation", 600, 3000, NET)
    names = [pilot["learns from"] for pilot in distilled.pilots_]
    assert names[:3] == ["transfer set", "wide transfer set", "far transfer set"]
    assert distilled.labels_asked_["pilots"] > 600


def test_without_a_transfer_set_training_rows_have_all_of_it():
    distilled, _ = distil("frozen, validation", 600, 500, augmenter=None)
    assert distilled.labels_asked_ == {"validation": 125, "training": 375}


@pytest.mark.parametrize("params", [{}, {"cv": 3, "calibrate": True}])
@pytest.mark.parametrize("kind", ["live", "live, validation"])
def test_no_label_is_asked_for_where_none_is_learned(kind, params):
    """Alpha 0 without further rows: the student's own fit, and one of the teacher."""
    student = LogisticRegression(C=0.1)
    params |= {"alpha": 0, "augmenter": None}
    distilled, counted = distil(kind, 600, None, student, **params)
    assert (counted, distilled.labels_asked_) == (0, {})
    assert distilled.teacher_.model_.class_count_.sum() == 600
    assert (distilled.memorization_, distilled.calibration_) == (None, None)
    expected = student.fit(ROWS[:600], LABELS[:600]).predict_proba(ROWS)
    np.testing.assert_allclose(distilled.predict_proba(ROWS), expected, atol=1e-4)


def test_no_value_is_asked_for_where_none_is_learned():
    teacher = FunctionRegressor(lambda rows: 1 / 0)
    distilled = DistilledRegressor(teacher, Ridge(), alpha=0, augmenter=None)
    expected = Ridge().fit(ROWS, LABELS).predict(ROWS)
    found = distilled.fit(ROWS, LABELS).predict(ROWS)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_training_rows_are_not_asked_for_where_their_true_labels_are_learned():
    params = {"alpha": 0, "augmenter": None, "calibrate": False}
    distilled, counted = distil("live, unlabelled", 600, None, **params)
    assert (counted, distilled.labels_asked_) == (300, {"transfer": 300})


def test_unlabelled_rows_come_before_synthetic_ones():
    asked = []

    def ask(rows):
        asked.append(rows)
        return np.full((len(rows), 3), 1 / 3)

    distilled = DistilledClassifier(
        FunctionClassifier(ask, [0, 1, 2]), TREE, augmenter="munge", max_labels=400
    )
    distilled.fit(ROWS[:600], LABELS[:600], X_unlabeled=ROWS[1200:])
    rows = np.concatenate(asked)
    assert len(rows) == 400
    assert (rows[:, None] == ROWS[1200:]).all(axis=2).any(axis=0).all()


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_rows_that_are_not_asked_learn_their_true_labels(alpha):
    X, y = add_numbers(ROWS[:100]), LABELS[:100]
    model = GaussianNB().fit(X, y)
    asked = []

    def ask(rows):
        asked.append(rows[:, -1].astype(int))
        return model.predict_proba(rows)

    teacher = FunctionClassifier(ask, [0, 1, 2])
    distilled = DistilledClassifier(
        teacher, Table(), alpha=alpha, augmenter=None, max_labels=30, random_state=0
    ).fit(X, y)
    (labelled,) = asked
    assert len(set(labelled)) == 30
    expected = np.eye(3)[y]
    soft = clip(model.predict_proba(X), y)[labelled]
    expected[labelled] = alpha * soft + (1 - alpha) * expected[labelled]
    np.testing.assert_allclose(distilled.predict_proba(X), expected, atol=1e-12)


def test_rows_that_are_not_asked_learn_out_of_fold_labels_where_there_are_any():
    X, y = add_numbers(ROWS[:100]), LABELS[:100]
    asked = []

    class Spy(Counting):
        def predict_proba(self, X):
            asked.append(X[:, -1].astype(int))
            return super().predict_proba(X)

    distilled = DistilledClassifier(
        Spy(), Table(), cv=4, calibrate=False, augmenter=None, max_labels=60
    ).fit(X, y)
    labelled = np.concatenate(asked)
    assert len(labelled) == len(set(labelled)) == 60
    hard = distilled.predict_proba(X) == np.eye(3)[y]
    others = np.setdiff1d(np.arange(100), labelled)
    assert hard[others].all()
    assert not hard[labelled].all(axis=1).any()


def test_at_a_temperature_the_true_labels_have_their_part_of_the_loss():
    """The limit of a student of both terms: probabilities where asked, labels else."""
    student = LogisticRegression(C=1e6, max_iter=2000)
    X = np.eye(4)[np.arange(400) % 4]
    y = np.arange(400) % 2
    teacher = FunctionClassifier(lambda X: np.full((len(X), 2), 0.5), [0, 1])
    distilled = DistilledClassifier(
        teacher,
        student,
        temperature=3.0,
        augmenter=None,
        max_labels=200,
        random_state=0,
    ).fit(X, y)
    # Half of the rows say one half, the others are certain of their label.
    served = distilled.predict_proba(X)[np.arange(400), y]
    assert (served > 0.6).all()
    assert (served < 0.99).all()


def test_a_student_that_cannot_mix_refuses_a_temperature():
    distilled = DistilledClassifier(
        GaussianNB(), SGDClassifier(loss="log_loss"), temperature=2.0, max_labels=100
    )
    with pytest.raises(ValueError, match=r"With max_labels.*temperature=2\.0"):
        distilled.fit(ROWS[:200], LABELS[:200] > 0)


@pytest.mark.parametrize("most", [0, -5, 2.5, "all", True])
def test_what_is_no_budget(most):
    with pytest.raises(ValueError, match="max_labels must be None or an integer"):
        DistilledClassifier(GaussianNB(), TREE, max_labels=most).fit(ROWS, LABELS)


# A failure ------------------------------------------------------------------------


class Failing:
    """A service that is asked for batches, of which some fail; its state is outside."""

    rng, rate, answered, attempts = None, 0.0, [], 0

    def __call__(self, rows):
        Failing.attempts += 1
        if Failing.rng.uniform() < Failing.rate:
            raise RuntimeError("429: quota")
        Failing.answered.append(rows)
        return MODEL.predict_proba(rows)


MODEL = GaussianNB().fit(ROWS[:600], LABELS[:600])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_failure_loses_one_batch_and_the_next_fit_goes_on(tmp_path, seed):
    given = {"augmenter": "munge", "n_synthetic": 500, "random_state": 0}

    def fit(rate, memory):
        Failing.rng, Failing.rate = np.random.default_rng(seed), rate
        teacher = FunctionClassifier(Failing(), [0, 1, 2], batch_size=100)
        distilled = DistilledClassifier(
            teacher, TREE, max_labels=1000, memory=memory, **given
        )
        fits, Failing.answered, Failing.attempts = 0, [], 0
        while fits < 50:
            fits += 1
            with suppress(RuntimeError):
                return distilled.fit(ROWS[:600], LABELS[:600], **HELD_OUT), fits
        raise AssertionError("it never came to an end")

    plain, n_fits = fit(0.0, None)
    assert n_fits == 1
    expected = sum(map(len, Failing.answered))
    again, n_fits = fit(0.2, tmp_path)
    assert n_fits > 2
    # No batch that was answered is asked for again; each failure costs one attempt.
    assert sum(map(len, Failing.answered)) == expected
    assert Failing.attempts == len(Failing.answered) + n_fits - 1
    np.testing.assert_array_equal(again.predict_proba(ROWS), plain.predict_proba(ROWS))
    # A further fit asks for nothing.
    _, n_fits = fit(1.0, tmp_path)
    assert (n_fits, Failing.attempts) == (1, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from sklearn.tree import DecisionTreeClassifier
from skdistill import DistilledClassifier, FunctionClassifier

FOLDER = Path(__file__).parent
X = np.random.RandomState(0).normal(size=(500, 3))

def answer(rows):
    if [str(len(os.listdir(FOLDER / "asked")))] == sys.argv[1:]:
        os.kill(os.getpid(), signal.SIGKILL)
    np.save(FOLDER / "asked" / str(len(os.listdir(FOLDER / "asked"))), rows)
    p = 1 / (1 + np.exp(-rows[:, 0]))
    return np.c_[1 - p, p]

def fit(memory):
    teacher = FunctionClassifier(answer, [0, 1], batch_size=50)
    student = DecisionTreeClassifier(max_depth=3)
    given = {"augmenter": None, "random_state": 0, "memory": memory}
    distilled = DistilledClassifier(teacher, student, **given)
    validation = {"X_val": X[300:], "y_val": X[300:, 0] > 0}
    distilled.fit(X[:300], X[:300, 0] > 0, **validation)

if __name__ == "__main__":
    fit(str(FOLDER / "memory"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "n_before", np.random.default_rng(0).choice(10, 3, replace=False).tolist()
)
def test_a_process_killed_at_any_batch_loses_that_batch(tmp_path, n_before):
    asked, script = tmp_path / "asked", tmp_path / "killed.py"
    asked.mkdir()
    script.write_text(KILLED)

    def run(*args):
        done = subprocess.run(
            [sys.executable, script, *args], capture_output=True, text=True
        )
        files = sorted(asked.iterdir(), key=lambda path: int(path.stem))
        return done, [np.load(path) for path in files]

    killed, before = run(str(n_before))
    assert (killed.returncode, len(before)) == (-signal.SIGKILL, n_before)
    done, batches = run()
    assert done.returncode == 0, done.stderr
    assert len(batches) == 10
    # Each of the 500 rows was answered once, in one of the two processes.
    rows = np.concatenate(batches)
    assert rows.shape == (500, 3)
    assert len(np.unique(rows, axis=0)) == 500


def test_a_call_of_a_frozen_teacher_covers_some_thousands_of_rows():
    sizes = []

    class Counting(GaussianNB):
        def predict_proba(self, X):
            sizes.append(len(X))
            return super().predict_proba(X)

    teacher = FrozenEstimator(Counting().fit(ROWS[:600], LABELS[:600]))
    munge = {"augmenter": "munge", "n_synthetic": 9000, "random_state": 0}
    distilled = DistilledClassifier(teacher, TREE, max_labels=9000, **munge)
    distilled.fit(ROWS[:600], LABELS[:600], **HELD_OUT)
    assert max(sizes) <= 4000 < sum(sizes)


def test_the_constructors_parameters():
    names = list(inspect.signature(DistilledClassifier).parameters)
    assert names == [
        *("teacher", "student", "temperature", "alpha", "augmenter", "n_synthetic"),
        *("cv", "calibrate", "fine_tune", "pilot", "max_labels", "memory", "n_jobs"),
        *("random_state", "verbose"),
    ]
    assert len(names) == 15
    values = list(inspect.signature(DistilledRegressor).parameters)
    expected = [n for n in names if n not in ("temperature", "calibrate")]
    expected.insert(expected.index("cv"), "quantiles")
    assert values == expected


def test_a_regressor_has_a_budget_too():
    from sklearn.linear_model import LinearRegression

    class Asked(LinearRegression):
        n_asked = 0

        def predict(self, X):
            Asked.n_asked += len(X)
            return super().predict(X)

    y = ROWS[:600].sum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled = DistilledRegressor(
            Asked(), LinearRegression(), max_labels=700, random_state=0
        ).fit(ROWS[:600], y)
    assert Asked.n_asked == sum(distilled.labels_asked_.values()) <= 700
