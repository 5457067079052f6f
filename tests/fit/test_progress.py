"""Progress of long work: `verbose`, and scikit-learn's callbacks."""

import _thread
import itertools
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from _core import PLAIN
from sklearn.callback import ProgressBar
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

X, y = make_classification(80, random_state=0)


class Recorder:
    """Writes down the tasks; propagated to sub-estimators that know callbacks."""

    max_propagation_depth = None

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.estimator_name, context.task_name))


def names(recorder, estimator="DistilledClassifier"):
    return [e[2] for e in recorder.events if e[:2] == ("begin", estimator)]


@pytest.mark.parametrize("cv", [None, 2])
def test_every_step_begins_and_ends(cv):
    recorder = Recorder()
    est = DistilledClassifier(
        DecisionTreeClassifier(), DecisionTreeClassifier(), cv=cv, **PLAIN
    )
    est.set_callbacks(recorder).fit(X, y)
    steps = ["fit", *(["folds"] if cv else []), "teacher", "label", "student"]
    assert names(recorder) == steps
    assert recorder.events[0] == "setup"
    assert recorder.events[-1] == "teardown"
    begun = sorted(e[1:] for e in recorder.events if e[0] == "begin")
    ended = sorted(e[1:] for e in recorder.events if e[0] == "end")
    assert begun == ended


@pytest.mark.parametrize(("alpha", "distilled"), [(1.0, True), ("auto", False)])
@pytest.mark.usefixtures("all_updates")
def test_pilots_and_networks_tell_their_share(alpha, distilled):
    """A hundred parts each, whatever is learned and however long it takes."""

    class Watcher(Recorder):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "part":
                numbers[context.parent.task_name].append(context.task_id)

    numbers = {"pilots": [], "student": []}
    rows = make_classification(600, random_state=0)
    student = make_pipeline(StandardScaler(), MLPClassifier((8,), random_state=0))
    stump = DecisionTreeClassifier(max_depth=1)
    est = DistilledClassifier(stump, student, alpha=alpha, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est.set_callbacks(Watcher()).fit(*rows)
    assert est.distilled_ == distilled
    assert numbers == {"pilots": [*range(100)], "student": [*range(100)]}


def test_pilots_are_told_as_they_end():
    """While others are still to come: of many, the first ends long before the last."""
    told, waits = threading.Event(), []

    class Watcher(Recorder):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "part":
                told.set()

    class Waiting(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None):
            if threading.current_thread() is not threading.main_thread():
                # So many are sent to two workers at first.
                waits.append(len(waits) < 4 or told.wait(5))
            return super().fit(X, y, sample_weight=sample_weight)

    est = DistilledClassifier(
        LogisticRegression(), Waiting(max_depth=2), n_jobs=2, random_state=0
    )
    with joblib.parallel_config(backend="threading"):
        est.set_callbacks(Watcher()).fit(X, y)
    assert len(waits) > 4
    assert all(waits)


def test_verbose_tells_of_long_steps(monkeypatch, capsys):
    """Each look at the clock finds six more seconds gone."""
    monkeypatch.setattr(time, "perf_counter", itertools.count(0, 6).__next__)
    network = MLPClassifier((4,), max_iter=5, n_iter_no_change=10)
    est = DistilledClassifier(LogisticRegression(), network, verbose=True, **PLAIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        est.fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if "left" in line]
    # After 12 and 24 seconds of 30.
    assert lines == [
        "[DistilledClassifier] student: 40%, about 18 s left",
        "[DistilledClassifier] student: 80%, about 6 s left",
    ]


def test_parts_that_know_callbacks_report_too():
    recorder = Recorder()
    logistic = LogisticRegression()
    student = make_pipeline(StandardScaler(), LogisticRegression())
    est = DistilledClassifier(logistic, student, cv=2, **PLAIN).set_callbacks(recorder)
    est.fit(X, y)
    # The teacher on all rows, and one a fold.
    assert names(recorder, "LogisticRegression").count("fit") >= 3
    for part in (est.teacher_, est.student_, est.student_[-1]):
        assert "_skl_callbacks" not in vars(part)
        assert "_parent_callback_ctx" not in vars(part)


def test_parts_without_callbacks_are_passed_over():
    est = DistilledClassifier(GaussianNB(), DecisionTreeClassifier(), **PLAIN)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*does not support callbacks")
        est.set_callbacks(Recorder()).fit(X, y)


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_callbacks_change_nothing_that_is_learned(backend, tmp_path):
    est = DistilledClassifier(LogisticRegression(), LogisticRegression(), cv=2, **PLAIN)
    plain = est.fit(X, y).student_.coef_
    est.set_params(memory=str(tmp_path), n_jobs=2).set_callbacks(Recorder())
    with joblib.parallel_config(backend=backend):
        for _ in range(2):
            np.testing.assert_array_equal(est.fit(X, y).student_.coef_, plain)


def test_progress_bar_nested_in_a_search(capfd):
    est = DistilledClassifier(
        DecisionTreeClassifier(), DecisionTreeClassifier(), **PLAIN
    )
    search = GridSearchCV(est, {"alpha": [0.5, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=2)).fit(X, y)
    shown = capfd.readouterr()
    assert "DistilledClassifier" in shown.out + shown.err


def test_progress_bar_alone(capfd):
    est = DistilledClassifier(LogisticRegression(), LogisticRegression(), cv=2, **PLAIN)
    est.set_callbacks(ProgressBar()).fit(X, y)
    shown = capfd.readouterr()
    assert "DistilledClassifier - fit" in shown.out + shown.err
    assert "100%" in shown.out + shown.err


@pytest.mark.parametrize(
    ("teacher", "given", "steps"),
    [
        (LogisticRegression(), {}, ["teacher", "label", "student"]),
        (FrozenEstimator(LogisticRegression().fit(X, y)), {}, ["label", "student"]),
        (None, {"teacher_proba": np.eye(2)[y]}, ["validation", "pilots", "student"]),
    ],
)
def test_verbose_prints_a_line_a_step(capsys, teacher, given, steps):
    est = DistilledClassifier(teacher, LogisticRegression(), verbose=True, **PLAIN)
    est.fit(X, y, **given)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(steps)
    for number, (line, step) in enumerate(zip(lines, steps, strict=True), start=1):
        assert line.startswith(
            f"[DistilledClassifier] step {number} of {len(steps)}, {step}: "
        )
    est.set_params(verbose=False).fit(X, y, **given)
    assert capsys.readouterr().out == ""


def test_verbose_tells_of_a_teacher_that_is_dropped(capsys):
    X, y = make_classification(600, 5, random_state=0)
    stump = FrozenEstimator(DecisionTreeClassifier(max_depth=1).fit(X, 1 - y))
    student = DecisionTreeClassifier(max_depth=1, random_state=0)
    est = DistilledClassifier(stump, student, verbose=True, random_state=0)
    with pytest.warns(UserWarning, match="The teacher is no better") as caught:
        est.fit(X, 1 - y)
    assert not est.distilled_
    said = next(str(w.message) for w in caught if "no better" in str(w.message))
    assert said.endswith(" Consider a better teacher, or the student alone.")
    assert f"[DistilledClassifier] {said}" in capsys.readouterr().out.splitlines()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est.set_params(verbose=False).fit(X, 1 - y)
    assert capsys.readouterr().out == ""


@contextmanager
def interrupt(after=0.5, again=5.0, begun=None):
    """Press Ctrl-C, and again for as long as it has no effect; yield the times.

    So many seconds after the event `begun`, where there is one.
    """
    times, ended = [], threading.Event()

    def press():
        if begun is not None:
            begun.wait(60)
        wait = after
        while not ended.wait(wait):
            times.append(time.monotonic())
            _thread.interrupt_main()
            wait = again

    # Workers of pytest-xdist ignore it.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield times
    finally:
        ended.set()
        thread.join()
        signal.signal(signal.SIGINT, handler)


def make_endless():
    """MLPClassifier turns Ctrl-C into a warning and keeps half-trained weights."""
    return MLPClassifier((4,), max_iter=10**7, n_iter_no_change=10**7)


@pytest.mark.parametrize("what", ["teacher", "student"])
def test_an_interrupt_that_a_network_swallows_ends_the_fit(what):
    parts = {"teacher": LogisticRegression(), "student": LogisticRegression()}
    est = DistilledClassifier(**parts, **PLAIN).fit(X, y)
    before = est.predict_proba(X)
    est.set_params(**{what: make_endless()})
    with interrupt() as times, pytest.raises(KeyboardInterrupt):
        est.fit(X, y)
    assert len(times) == 1
    np.testing.assert_array_equal(est.predict_proba(X), before)


@pytest.mark.usefixtures("all_updates")
def test_an_interrupt_in_a_pilot_ends_the_fit():
    """Warnings of a pilot are not shown, but this one is no warning."""
    begun = threading.Event()

    class Watcher(Recorder):
        def on_fit_task_begin(self, estimator, context):
            super().on_fit_task_begin(estimator, context)
            if context.task_name == "pilots":
                begun.set()

    rows, labels = make_classification(600, random_state=0)
    recorder = Watcher()
    est = DistilledClassifier(LogisticRegression(), make_endless())
    est.set_callbacks(recorder)
    with interrupt(begun=begun) as times, pytest.raises(KeyboardInterrupt):
        est.fit(rows, labels)
    assert len(times) == 1
    assert "student" not in names(recorder)
    assert not hasattr(est, "student_")


class Warner(LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        warnings.warn("mine", UserWarning, stacklevel=1)
        return super().fit(X, y, sample_weight)


def test_other_warnings_stay_what_they_are():
    est = DistilledClassifier(Warner(), LogisticRegression(), **PLAIN)
    with pytest.warns(UserWarning, match="mine"):
        est.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="mine"):
            est.fit(X, y)


#: The package is loaded anew where scikit-learn has no callbacks.
WITHOUT_CALLBACKS = """
import sys
import skdistill.__main__, skdistill.export
for name in [name for name in sys.modules if name.startswith("skdistill")]:
    del sys.modules[name]
sys.modules["sklearn.callback"] = None
import skdistill
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
X, y = load_iris(return_X_y=True)
tree = DecisionTreeClassifier(max_depth=2, random_state=0)
model = skdistill.DistilledClassifier(tree, tree, cv=2, verbose=True)
print(hasattr(model, "set_callbacks"), model.fit(X, y).score(X, y) > 0.9)
"""


@pytest.mark.slow
def test_without_the_experimental_callbacks_it_imports_and_fits():
    run = [sys.executable, "-c", WITHOUT_CALLBACKS]
    lines = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert "step 1 of 5" in lines
    assert lines.splitlines()[-1] == "False True"
