"""The command line with a budget: what it chooses, writes and refuses."""

import json
import os

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from skdistill import DistilledClassifier
from skdistill._cli import _budget as _cli_budget
from skdistill._cli import main
from skdistill._cli._students import CANDIDATES
from skdistill._labels._defaults import prepare_columns
from skdistill.inspection import _measure
from skdistill.inspection._measure import BASELINE, DISTILLED, TEACHER

FITS: list[int] = []


class CountedForest(RandomForestClassifier):
    """Notes the rows of each of its fits."""

    def fit(self, X, y, sample_weight=None):
        FITS.append(len(X))
        return super().fit(X, y, sample_weight)


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_measure, "_LATENCY_SECONDS", 0.01)
    monkeypatch.setattr(_measure, "_BATCH_SECONDS", 0.001)
    names = TEACHER, BASELINE, DISTILLED
    monkeypatch.setattr(_measure, "_MIN_REPEATS", dict.fromkeys(names, 3))
    monkeypatch.setattr("skdistill.metrics._scorers._SECONDS", 0.01)
    monkeypatch.setattr(
        "skdistill._problem.default_teacher",
        lambda X: make_pipeline(prepare_columns(X), CountedForest(10)),
    )


@pytest.fixture
def few(monkeypatch):
    """Without the networks, whose fits are the time of all others."""
    for name in [name for name in CANDIDATES if name.startswith("mlp")]:
        monkeypatch.delitem(CANDIDATES, name)


@pytest.fixture
def frame():
    """Numbers alone."""
    X, y = make_classification(240, 5, n_informative=3, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcde")).assign(label=y)
    frame.to_csv("data.csv", index=False)
    return frame


def run(*arguments):
    return main(["data.csv", "--target", "label", *map(str, arguments)])


def read_report():
    with open("report.json") as file:
        return json.load(file)


def test_best_inside_the_budget(capsys, frame):
    limits = "--max-latency-us", 10**9, "--max-bytes", 9_000
    assert run(*limits, "--json", "report.json") == 0
    out, _ = capsys.readouterr()
    report = read_report()
    pilots = {pilot["name"]: pilot for pilot in report["candidates"]}
    assert list(pilots) == list(CANDIDATES)
    inside = [name for name, pilot in pilots.items() if pilot["bytes"] <= 9_000]
    assert 0 < len(inside) < len(pilots)
    best = min(inside, key=lambda name: pilots[name]["log_loss"])
    assert [name for name, pilot in pilots.items() if pilot["chosen"]] == [best]
    assert report["student"] == best
    assert report["parameters"]["memory"] is None
    line = next(line for line in out.splitlines() if line.endswith("chosen"))
    assert line.startswith(best)
    assert f"{pilots[best]['log_loss']:.3f}" in line
    assert max(map(len, out.splitlines())) <= 80
    # What was chosen is what was written.
    student = joblib.load("student.joblib")
    expected = CANDIDATES[best](frame.drop(columns="label").to_numpy())
    assert type(student) is type(expected)


@pytest.mark.usefixtures("few")
def test_numbers_are_served_as_arrays(capsys, frame):
    assert run("--max-bytes", 10**9) == 0
    assert "columns in the order of the file" in capsys.readouterr().out
    student = joblib.load("student.joblib")
    assert not hasattr(student, "feature_names_in_")
    proba = student.predict_proba(frame.drop(columns="label").to_numpy())
    assert proba.shape == (240, 2)


@pytest.mark.usefixtures("few")
def test_text_and_gaps(capsys, frame):
    frame["a"] = np.where(frame["a"] > 0, "high", None)
    frame.loc[::7, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    assert run("--max-bytes", 10**9) == 0
    assert "order of the file" not in capsys.readouterr().out
    student = joblib.load("student.joblib")
    assert student.predict_proba(frame.drop(columns="label")).shape == (240, 2)


@pytest.mark.usefixtures("few")
def test_gaps_in_numbers(frame):
    frame.loc[::7, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    assert run("--max-bytes", 10**9) == 0
    rows = frame.drop(columns="label").to_numpy()
    assert joblib.load("student.joblib").predict_proba(rows).shape == (240, 2)


@pytest.mark.usefixtures("few")
def test_one_teacher_a_split(frame):
    FITS.clear()
    assert run("--max-bytes", 10**9) == 0
    n_rows = 180
    splits = [n_rows * 2 // 3] * _cli_budget._N_SPLITS
    assert sorted(FITS) == [*splits, n_rows]


@pytest.mark.usefixtures("few")
def test_fitted_teacher_sees_the_columns_it_knows(frame):
    X, y = frame.drop(columns="label"), frame["label"]
    joblib.dump(RandomForestClassifier(10).fit(X, y), "teacher.joblib")
    arguments = "--teacher", "teacher.joblib", "--max-bytes", 10**9
    assert run(*arguments) == 0
    student = joblib.load("student.joblib")
    assert student.feature_names_in_.tolist() == list("abcde")


@pytest.mark.usefixtures("few")
def test_refused_without_a_candidate(capsys, frame):
    before = sorted(os.listdir())
    assert run("--max-bytes", 10, "--max-latency-us", 10**9) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(os.listdir()) == before
    lines = err[err.index("skdistill: error: ") :].splitlines()
    assert "No candidate of 3 is within the budget" in lines[0]
    # The smallest first.
    assert lines[1].endswith("{'student': 'logistic'}")
    assert "Raise the limits" in lines[-1]
    assert "Traceback" not in err


@pytest.mark.usefixtures("few")
def test_says_when_the_refitted_student_outgrew_the_budget(capsys, frame, monkeypatch):
    monkeypatch.setattr(_measure, "dump_bytes", lambda model: bytes(10_000))
    assert run("--max-bytes", 9_000) == 0
    out, _ = capsys.readouterr()
    assert "Fitted on all rows it is over the budget: 10,000 bytes instead of" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-bytes", "0"], "must be a whole number in [1, inf)"),
        (["--max-latency-us", "-3"], "must be a number in (0, inf)"),
        (["--max-bytes", "100", "--student", "tree"], "leave out --student"),
        (["--max-bytes", "9000", "--temperature", "2"], "temperature"),
    ],
)
def test_refused_options(arguments, said, capsys, frame):
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("make", CANDIDATES.values(), ids=CANDIDATES)
def test_candidates_can_be_distilled_and_scale_alone(make, frame):
    X, y = frame.drop(columns="label").to_numpy(), frame["label"].to_numpy()
    distilled = DistilledClassifier(
        RandomForestClassifier(10), make(X), random_state=0
    ).fit(X, y)
    assert distilled.student_.score(X, y) > 0.6
    # Without an imputer, which takes one row longer than the model itself.
    assert "SimpleImputer" not in repr(distilled.student_)
