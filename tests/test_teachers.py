"""A function as a fixed teacher: batches, containers, services, memory."""

import json
import pickle
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from skdistill import DistilledClassifier, FunctionClassifier, FunctionRegressor
from skdistill.inspection import distillation_report

X, Y = make_classification(
    240, 6, n_informative=4, n_classes=3, flip_y=0.1, random_state=0
)
FOREST = RandomForestClassifier(20, min_samples_leaf=5, random_state=0).fit(X, Y)


def distil(teacher, student=None, **params):
    given = {"n_synthetic": 300, "calibrate": False, "random_state": 0, **params}
    return DistilledClassifier(teacher, student or LogisticRegression(), **given)


class Asked:
    """Answers for the forest and notes the rows of each call."""

    def __init__(self):
        self.calls = []

    def __call__(self, rows):
        self.calls.append(rows)
        return FOREST.predict_proba(np.asarray(rows))


def test_it_is_a_fitted_classifier():
    teacher = FunctionClassifier(FOREST.predict_proba, ["c", "a", "b"])
    check_is_fitted(teacher)
    assert teacher.fit(X, Y) is teacher
    assert clone(teacher) is teacher
    assert teacher.classes_.tolist() == ["c", "a", "b"]
    proba = teacher.predict_proba(X)
    np.testing.assert_array_equal(proba, FOREST.predict_proba(X))
    named = np.array(["c", "a", "b"])[FOREST.predict(X)]
    np.testing.assert_array_equal(teacher.predict(X), named)
    assert teacher.score(X, named) == 1


def test_the_student_is_that_of_the_frozen_model():
    students = [
        distil(teacher, augmenter="munge").fit(X, Y).student_
        for teacher in (
            FrozenEstimator(FOREST),
            FunctionClassifier(FOREST.predict_proba, [0, 1, 2]),
            FunctionClassifier(FOREST.predict_proba, [0, 1, 2], batch_size=100),
            FunctionClassifier(lambda X: FOREST.predict_proba(X)[:, ::-1], [2, 1, 0]),
        )
    ]
    for student in students[1:]:
        np.testing.assert_array_equal(student.coef_, students[0].coef_)


def test_rows_come_in_batches_in_their_container():
    ask = Asked()
    teacher = FunctionClassifier(ask, [0, 1, 2], batch_size=100)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    proba = teacher.predict_proba(frame)
    assert [len(rows) for rows in ask.calls] == [100, 100, 40]
    pd.testing.assert_frame_equal(pd.concat(ask.calls), frame)
    np.testing.assert_array_equal(proba, FOREST.predict_proba(X))
    assert teacher.predict_proba(frame[:0]).shape == (0, 3)


def test_named_columns_are_put_in_order():
    def ask(rows):
        return pd.DataFrame(FOREST.predict_proba(rows)).set_axis(list("xyz"), axis=1)

    teacher = FunctionClassifier(ask, ["z", "x", "y"])
    expected = FOREST.predict_proba(X)[:, [2, 0, 1]]
    np.testing.assert_array_equal(teacher.predict_proba(X), expected)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda X: np.ones((len(X), 3)), "must sum to 1"),
        (lambda X: np.full((len(X), 3), np.nan), "must be finite"),
        (lambda X: FOREST.predict_proba(X)[1:], r"shape \(50, 3\), received \(49, 3\)"),
        (lambda X: FOREST.predict_proba(X)[:, :2], r"received \(50, 2\)"),
    ],
)
def test_every_batch_is_checked(answer, match):
    teacher = FunctionClassifier(answer, [0, 1, 2], batch_size=50)
    with pytest.raises(
        ValueError, match=f"<lambda> of the FunctionClassifier.*{match}"
    ):
        teacher.predict_proba(X)


@pytest.mark.parametrize(
    ("teacher", "returned"),
    [
        (FunctionClassifier(1, [0, 1]), "probabilities"),
        (FunctionRegressor(1), "values"),
    ],
)
def test_a_function_is_said_to_return_what_the_teacher_needs(teacher, returned):
    message = f"func must be a function from rows to {returned}; got 1"
    with pytest.raises(TypeError, match=message):
        teacher.fit(X, Y)


def test_a_search_and_the_report_take_it():
    ask = Asked()
    teacher = FunctionClassifier(ask, [0, 1, 2])
    search = GridSearchCV(
        distil(teacher, augmenter=None), {"student__C": [0.1, 1]}, cv=2
    )
    search.fit(X, Y)
    assert search.best_estimator_.teacher_ is teacher
    report = distillation_report(search, X, Y, n_bootstrap=2)
    expected = FOREST.score(X, Y)
    assert report.models["teacher"]["accuracy"] == pytest.approx(expected)


def test_it_is_pickled_where_its_function_is():
    teacher = FunctionClassifier(FOREST.predict_proba, [0, 1, 2], batch_size=7)
    again = pickle.loads(pickle.dumps(teacher))
    np.testing.assert_array_equal(again.predict_proba(X), teacher.predict_proba(X))


@pytest.mark.slow
def test_workers_and_a_memory(tmp_path):
    ask = Asked()
    given = {"augmenter": None, "memory": str(tmp_path)}
    teacher = FunctionClassifier(FOREST.predict_proba, [0, 1, 2])
    first = distil(teacher, n_jobs=2, **given).fit(X, Y)
    assert ask.calls == []
    second = distil(teacher, **given).fit(X, Y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    local = FunctionClassifier(lambda X: FOREST.predict_proba(X), [0, 1, 2])
    with pytest.raises(ValueError, match=r"memory recognises.*set memory=None"):
        distil(local, **given).fit(X, Y)


class Service(BaseHTTPRequestHandler):
    """Rows as JSON in, probabilities as JSON out, and one refusal."""

    def do_POST(self):
        rows = np.array(
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        )
        self.server.n_requests += 1
        if self.server.n_requests == self.server.refused:
            self.send_error(429)
            return
        self.server.answered.append(len(rows))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(FOREST.predict_proba(rows).tolist()).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        server.n_requests, server.refused, server.answered = 0, None, []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Client:
    """What the docstring shows, in a form that a memory recognises."""

    def __init__(self, server):
        self.url = f"http://127.0.0.1:{server.server_port}"

    def __call__(self, rows):
        body = json.dumps(rows.tolist()).encode()
        with urllib.request.urlopen(self.url, data=body, timeout=30) as answer:
            return np.array(json.load(answer))


def test_a_service_that_refuses_one_batch_is_asked_for_the_rest(server, tmp_path):
    held_out = {"X_val": X[180:], "y_val": Y[180:]}
    expected = distil(FrozenEstimator(FOREST), augmenter="munge")
    expected.fit(X[:180], Y[:180], **held_out)
    teacher = FunctionClassifier(Client(server), [0, 1, 2], batch_size=50)
    remote = distil(teacher, augmenter="munge", memory=str(tmp_path))
    server.refused = 6
    with pytest.raises(urllib.error.HTTPError, match="429"):
        remote.fit(X[:180], Y[:180], **held_out)
    before = sum(server.answered)
    assert len(server.answered) == 5
    remote.fit(X[:180], Y[:180], **held_out)
    # Each row is answered once: one request in all has been lost.
    assert server.n_requests == len(server.answered) + 1
    assert sum(server.answered) - before == sum(remote.labels_asked_.values())
    assert sum(server.answered) == sum(expected.labels_asked_.values()) == 540
    assert max(server.answered) == 50
    np.testing.assert_array_equal(remote.predict_proba(X), expected.predict_proba(X))
