"""The command line with a budget: what it chooses, writes and refuses."""

import os
import sys
from argparse import Namespace
from unittest.mock import Mock

import joblib
import numpy as np
import pandas as pd
import pytest
from _command import WITHOUT, keep_candidates, read_report, shrink_default_teacher
from _command import run as run_command
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge

from skdistill import DistilledClassifier
from skdistill._cli._bounds import explain_left_out
from skdistill._cli._read_data import Rows
from skdistill._cli._students import CANDIDATES
from skdistill.export import OnnxClassifier, to_onnx
from skdistill.metrics import size_scorer

FITS: list[int] = []


class CountedForest(RandomForestClassifier):
    """Notes the rows of each of its fits."""

    def fit(self, X, y, sample_weight=None):
        FITS.append(len(X))
        return super().fit(X, y, sample_weight)


@pytest.fixture(autouse=True)
def with_a_small_teacher(monkeypatch):
    shrink_default_teacher(monkeypatch, CountedForest)


@pytest.fixture
def few():
    """A line and a tree: what differs between families is no subject of the tests."""
    with keep_candidates(CANDIDATES, "logistic", "tree"):
        yield


@pytest.fixture
def frame():
    """Numbers alone."""
    X, y = make_classification(240, 5, n_informative=3, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcde")).assign(label=y)
    frame.to_csv("data.csv", index=False)
    return frame


def run(*arguments):
    return run_command("data.csv", "--target", "label", "--no-report", *arguments)


@pytest.mark.slow
def test_best_inside_the_budget(capsys, frame):
    limits = "--max-latency-us", 10**9, "--max-bytes", 9_000
    assert run(*limits, "--json", "report.json") == 0
    out, _ = capsys.readouterr()
    record = read_report()
    tried = {candidate["name"]: candidate for candidate in record["candidates"]}
    assert list(tried) == list(CANDIDATES)
    fitted = [name for name, found in tried.items() if not found["left_out"]]
    assert set(tried) - set(fitted) == {"mlp-64-32"}
    inside = [name for name in fitted if tried[name]["bytes"] <= 9_000]
    assert 0 < len(inside) < len(fitted)
    best = min(inside, key=lambda name: tried[name]["log_loss"])
    assert [name for name, found in tried.items() if found["chosen"]] == [best]
    assert record["student"] == best
    assert record["parameters"]["memory"] is None
    line = next(line for line in out.splitlines() if line.endswith("chosen"))
    assert line.startswith(best)
    assert f"{tried[best]['log_loss']:.3f}" in line
    assert max(map(len, out.splitlines())) <= 80
    # What was chosen is what was written.
    student = joblib.load("student.joblib")
    expected = CANDIDATES[best](frame.drop(columns="label").to_numpy())
    assert type(student) is type(expected)


@pytest.mark.usefixtures("few")
def test_numbers_are_served_as_arrays(capsys, frame):
    assert run("--max-bytes", 10**9, "--no-onnx") == 0
    assert "columns in the order of the file" in capsys.readouterr().out
    student = joblib.load("student.joblib")
    assert not hasattr(student, "feature_names_in_")
    proba = student.predict_proba(frame.drop(columns="label").to_numpy())
    assert proba.shape == (240, 2)


@pytest.mark.usefixtures("few")
@pytest.mark.slow
def test_text_and_gaps(capsys, frame):
    frame["a"] = np.where(frame["a"] > 0, "high", None)
    frame.loc[::7, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    assert run("--max-bytes", 10**9) == 0
    assert "order of the file" not in capsys.readouterr().out
    student = joblib.load("student.joblib")
    assert student.predict_proba(frame.drop(columns="label")).shape == (240, 2)


@pytest.mark.usefixtures("few")
def test_gaps_in_numbers(capsys, frame, monkeypatch):
    frame.loc[::7, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    # What can't be exported is named, and the other files are written.
    error = ValueError("The ONNX model must equal predict_proba")
    monkeypatch.setattr("skdistill.metrics._costs.to_onnx", Mock(side_effect=error))
    assert run("--max-bytes", 10**9) == 0
    assert "No ONNX file: ValueError: The ONNX model" in capsys.readouterr().out
    assert not os.path.exists("student.onnx")
    assert run("--max-bytes", 10**9, "--out", "x.onnx") == 2
    rows = frame.drop(columns="label").to_numpy()
    assert joblib.load("student.joblib").predict_proba(rows).shape == (240, 2)


@pytest.mark.usefixtures("few")
def test_one_teacher_a_split(frame):
    FITS.clear()
    assert run("--max-bytes", 10**9, "--no-onnx") == 0
    n_rows = 180
    splits = [n_rows * 2 // 3] * 3
    assert sorted(FITS) == [*splits, n_rows]


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_many_rows_take_one_split(capsys):
    X, y = make_classification(2700, 5, n_informative=3, random_state=0)
    pd.DataFrame(X).assign(label=y).to_csv("data.csv", index=False)
    FITS.clear()
    assert run("--student", "auto", "--no-onnx", "--json", "report.json") == 0
    # One split and the final fit, each also without a fifth, which judges.
    assert sorted(FITS) == [1080, 1350, 1620, 2025]
    tried = read_report()["candidates"]
    assert {found["n_splits"] for found in tried} == {1}
    # Without a budget the best is the one with the least loss.
    best = min(tried, key=lambda found: found["log_loss"])
    assert [found for found in tried if found["chosen"]] == [best]
    assert "on a third of the rows to learn from" in capsys.readouterr().out


@pytest.mark.usefixtures("few")
def test_only_the_best_of_many_rows_has_pilots(frame, monkeypatch):
    fit, fits = DistilledClassifier.fit, []

    def record(self, X, y, **given):
        fits.append((len(y), self.pilot, self.augmenter))
        return fit(self, X, y, **given)

    monkeypatch.setattr("skdistill._cli._budget_search._MANY_ROWS", 100)
    monkeypatch.setattr(DistilledClassifier, "fit", record)
    assert run("--student", "auto", *WITHOUT) == 0
    # Two thirds of 180 rows.
    *searched, last = fits
    assert searched == 2 * [(120, 0, "munge")]
    assert last == (180, 1.0, "auto")


@pytest.mark.usefixtures("few")
def test_fitted_teacher_gets_the_columns_of_its_fit(frame):
    X, y = frame.drop(columns="label"), frame["label"]
    joblib.dump(RandomForestClassifier(10).fit(X, y), "teacher.joblib")
    arguments = "--teacher", "teacher.joblib", "--max-bytes", 10**9, "--no-onnx"
    assert run(*arguments) == 0
    student = joblib.load("student.joblib")
    assert student.feature_names_in_.tolist() == list("abcde")


def read_refusal(capsys, *arguments):
    """Return the lines of the error of a run that writes nothing."""
    before = sorted(os.listdir())
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(os.listdir()) == before
    assert "Traceback" not in err
    return err[err.index("skdistill: error: ") :].splitlines()


@pytest.mark.usefixtures("few")
def test_refused_without_a_candidate(capsys, frame):
    # Enough for the settings and weights of each, which are known before the fit.
    lines = read_refusal(capsys, "--max-bytes", 1000, "--max-latency-us", 10**9)
    assert "No candidate of 2 is within the budget" in lines[0]
    # The smallest first.
    assert lines[1].endswith("{'student': 'logistic'}")
    assert "Raise the limits" in lines[-1]


# --- Before the fit ------------------------------------------------------------------


@keep_candidates(CANDIDATES, "logistic", "mlp-64-32")
def test_hopeless_students_are_not_fitted(capsys, frame):
    limit = 4 * (6 * 64 + 65 * 32 + 33)
    assert run("--max-bytes", limit, "--json", "report.json", "--no-onnx") == 0
    logistic, network = read_report()["candidates"]
    assert logistic["chosen"]
    assert logistic["left_out"] == ""
    assert network["log_loss"] is None
    assert network["n_splits"] == 0
    # The weights alone reach the limit.
    size = int(network["left_out"].split()[2].replace(",", ""))
    assert limit < size < limit + 2000
    line = f"mlp-64-32        not fitted: it takes at least {size:,} bytes"
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("limits", [["--max-bytes", 10], ["--max-latency-us", 1]])
def test_without_hope_nothing_is_fitted(limits, capsys, frame):
    frame["a"] = np.where(frame["a"] > 0, "high", "low")
    frame.to_csv("data.csv", index=False)
    FITS.clear()
    head, *lines, last = read_refusal(capsys, *limits)
    assert "No student can be within the budget of" in head
    assert [line.split()[0] for line in lines] == list(CANDIDATES)
    assert "write ONNX" in last
    assert FITS == []


@pytest.mark.parametrize(("n_classes", "n_outputs"), [(2, 1), (3, 3)])
@pytest.mark.parametrize(
    ("name", "n_weights"),
    [
        ("logistic", lambda n_outputs: 6 * n_outputs),
        ("mlp-64-32", lambda n_outputs: 6 * 64 + 65 * 32 + 33 * n_outputs),
        ("tree", lambda n_outputs: 0),
    ],
)
def test_weights_in_onnx_are_counted(name, n_weights, n_classes, n_outputs):
    """Five numbers and an intercept; two classes share one output."""
    X, y = np.eye(5)[np.arange(30) % 5], np.arange(30) % n_classes
    least = 4 * n_weights(n_outputs)
    limits = {"deployment": "onnx", "max_latency_us": None}
    rows, student = Rows("data.csv", X, y, X, y), CANDIDATES[name](X)
    for limit in {least, max(least - 1, 0)}:
        given = Namespace(max_bytes=limit, **limits)
        expected = "" if least <= limit else f"at least {least:,} bytes"
        assert explain_left_out(student, rows, given) == expected


def test_values_have_one_output_however_many_differ():
    """A weight is four bytes, and there are five of numbers and an intercept."""
    X, y = np.eye(5)[np.arange(30) % 5], np.arange(30.0)
    rows = Rows("data.csv", X, y, X, y)
    for limit, expected in ((24, ""), (23, "at least 24 bytes")):
        given = Namespace(deployment="onnx", max_bytes=limit, max_latency_us=None)
        assert explain_left_out(Ridge(), rows, given) == expected


@pytest.mark.parametrize("deployment", ["joblib", "onnx"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_student_that_fits_is_never_left_out(deployment, mixed, frame):
    if deployment == "onnx":
        pytest.importorskip("skl2onnx")
    X, y = frame.drop(columns="label").astype(np.float32), frame["label"].to_numpy()
    X = X.assign(a=np.where(X["a"] > 0, "high", "low")) if mixed else X.to_numpy()
    rows = Rows("data.csv", X, y, X, y)
    for name, make in CANDIDATES.items():
        student = make(X)
        if name.startswith("mlp"):
            student.set_params(classifier__max_iter=2)
        size = -size_scorer(deployment=deployment)(student.fit(X, y), X)
        given = {"deployment": deployment, "max_bytes": size, "max_latency_us": None}
        assert explain_left_out(make(X), rows, Namespace(**given)) == ""


@keep_candidates(CANDIDATES, "logistic")
def test_a_model_is_exported_once(frame, monkeypatch):
    pytest.importorskip("skl2onnx")
    export = Mock(side_effect=to_onnx)
    monkeypatch.setattr("skdistill.metrics._costs.to_onnx", export)
    assert run("--max-bytes", 10**6, "--distilled", "--out", "student.onnx") == 0
    # One a split, and the one that is measured and written.
    assert export.call_count == 4


@keep_candidates(CANDIDATES, "lightgbm-50x7")
def test_says_when_the_refitted_student_outgrew_the_budget(capsys, frame):
    """Boosted trees of all rows are larger than those of two thirds of them."""
    options = "--distilled", "--no-onnx"
    assert run("--max-bytes", 10**9, "--json", "report.json", *options) == 0
    record = read_report()
    (boosted,) = record["candidates"]
    limit = int(boosted["bytes"]) + 1
    size = record["report"]["models"]["student"]["bytes"]
    assert size > limit
    assert "over the budget" not in capsys.readouterr().out
    assert run("--max-bytes", limit, *options) == 0
    out, _ = capsys.readouterr()
    assert f"over the budget: {size:,} bytes instead of {limit:,}" in out


@pytest.mark.parametrize("make", CANDIDATES.values(), ids=CANDIDATES)
def test_candidates_can_be_distilled_and_scale_alone(make, frame):
    X, y = frame.drop(columns="label").to_numpy(), frame["label"].to_numpy()
    distilled = DistilledClassifier(
        RandomForestClassifier(10), make(X), n_synthetic=300, random_state=0
    ).fit(X, y)
    assert distilled.student_.score(X, y) > 0.6
    # Without an imputer, which takes one row longer than the model itself.
    assert "SimpleImputer" not in repr(distilled.student_)


# --- As ONNX -------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
@pytest.mark.slow
def test_a_budget_applies_to_the_file_that_is_written(capsys, frame):
    pytest.importorskip("skl2onnx")
    frame["a"] = np.where(frame["a"] > 0, "high", "low")
    frame.to_csv("data.csv", index=False)
    limits = "--max-latency-us", 10**9, "--max-bytes", 10**9
    files = "--out", "student.onnx", "--json", "report.json"
    # Hard labels of so few rows may make the better student.
    assert run(*limits, *files, "--distilled") == 0
    out, _ = capsys.readouterr()
    assert "OnnxClassifier('student.onnx')" in out
    record = read_report()
    figures = record["report"]["models"]["student"]
    assert os.path.getsize("student.onnx") == pytest.approx(
        figures["onnx_bytes"], rel=0.02
    )
    # The other deployment stands beside it.
    assert f"{figures['bytes']:,d}" in out
    assert f"{figures['onnx_bytes']:,d}" in out
    served = OnnxClassifier("student.onnx")
    rows = frame.drop(columns="label")
    assert served.score(rows, frame["label"]) > 0.7
    assert run("--max-bytes", 10, "--out", "student.onnx") == 2
    assert "within the budget" in capsys.readouterr().err


def test_onnx_without_the_extra_is_refused_before_any_work(capsys, frame, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run("--out", "student.onnx") == 2
    err = capsys.readouterr().err
    assert 'pip install "skdistill[onnx]"' in err
    assert len(err.splitlines()) == 1
