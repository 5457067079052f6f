"""Work that splits: the same bytes wherever it is done, on no more than the cores."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skdistill import _teacher
from skdistill._parallel import Parcel, Work, share_cores

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
    return _teacher.label_rows(teacher, table, work=work or Work(joblib.Memory(None)))


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


def test_a_parcel_travels_with_its_arrays_beside_it():
    fitted = VOTE.fit(X, y)
    parcel = Parcel({"rows": X, "teacher": fitted, "empty": np.empty((0, 3))})
    arrays = []
    data = pickle.dumps(parcel, protocol=5, buffer_callback=arrays.append)
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
            parcel.__reduce__()[1][0], parcel.__reduce__()[1][0], strict=True
        )
    )
    assert parcel.__sizeof__() > X.nbytes


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
