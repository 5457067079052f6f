"""The command line: what it prints, writes and refuses."""

import io
import json
import os
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from _command import (
    N_ROWS,
    call_module,
    make_frame,
    run,
    run_quickly,
    shorten_times,
    write_teacher,
)
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skdistill._cli import _csv as _tables
from skdistill._cli import _main as _cli
from skdistill._labels._defaults import prepare_columns
from skdistill.inspection import _measure
from skdistill.inspection._measure import BASELINE, DISTILLED, TEACHER


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shorten_times(monkeypatch)


@pytest.fixture
def data(tmp_path):
    make_frame().to_csv("data.csv", index=False)
    return tmp_path / "data.csv"


@pytest.fixture
def teacher(data):
    return write_teacher(data.with_name("teacher.joblib"))


def test_bundled_example(capsys, monkeypatch, tmp_path):
    X, y = load_digits(return_X_y=True)
    monkeypatch.setattr(_tables, "load_digits", lambda return_X_y: (X[::4], y[::4] % 3))
    assert run() == 0
    out, err = capsys.readouterr()
    table = [line for line in out.splitlines() if line.startswith((TEACHER, "hard-"))]
    assert len(table) == 2
    assert "distilled student" in out
    assert "times smaller" in out
    assert "joblib.load('student.joblib')" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "DistilledClassifier" in err
    assert os.listdir() == ["student.joblib"]


def test_csv_file(capsys, data, monkeypatch):
    def make_forest(X, *args, **kwargs):
        return make_pipeline(prepare_columns(X), RandomForestClassifier(10))

    # Three fits of the real one are the time of all other tests.
    monkeypatch.setattr("skdistill._problem.default_teacher", make_forest)
    status = run(
        *(data, "--target", "label", "--student", "logistic", "--cv", 2),
        *("--temperature", 2, "--alpha", 0.8, "--seed", 3, "--test-size", 0.3),
        *("--out", "small.joblib", "--json", "report.json"),
    )
    assert status == 0
    out, _ = capsys.readouterr()
    report = json.loads(data.with_name("report.json").read_text())
    assert report["parameters"]["temperature"] == 2
    assert report["parameters"]["alpha"] == 0.8
    assert report["parameters"]["cv"] == 2
    assert report["seed"] == report["parameters"]["random_state"] == 3
    assert report["n_test_rows"] == 48
    assert report["classes"] == ["bad", "good"]
    assert report["versions"]["scikit-learn"]
    assert report["student_parameters"]["classifier__max_iter"] == 1000
    figures = report["models"][DISTILLED]
    assert figures["bytes_on_disk"] == os.path.getsize("small.joblib")
    assert figures["repeats"] >= 3
    assert f"{figures['accuracy']:.4f}" in out
    assert "report.json" in out
    model = joblib.load("small.joblib")
    rows = make_frame().drop(columns="label")
    assert set(model.predict(rows)) <= {"bad", "good"}


def test_same_seed_same_student(teacher):
    rows = make_frame().drop(columns="label")
    probas = []
    for name in ("a.joblib", "b.joblib"):
        assert run_quickly("--out", name) == 0
        probas.append(joblib.load(name).predict_proba(rows))
    np.testing.assert_array_equal(*probas)


@pytest.mark.parametrize("name", sorted({*_cli.STUDENTS} - {"mlp"}))
def test_students(name, capsys, teacher):
    assert run_quickly("--student", name) == 0
    out, _ = capsys.readouterr()
    library = "LightGBM" if name == "lightgbm" else "scikit-learn"
    assert f"with {library} alone" in out


def test_fitted_teacher_is_measured_and_warned_of(capsys, teacher):
    assert run_quickly("--json", "report.json") == 0
    out, _ = capsys.readouterr()
    assert "optimistic" in out
    report = json.loads(teacher.with_name("report.json").read_text())
    assert report["models"][TEACHER]["agreement"] == 1
    assert report["teacher_file"] == "teacher.joblib"
    # Trees number what they hold afresh on each dump, hence the tolerance.
    size = os.path.getsize("teacher.joblib")
    assert abs(report["models"][TEACHER]["bytes_on_disk"] - size) < 0.02 * size


def test_test_file(capsys, teacher):
    frame = make_frame(seed=2)[["label", "age", "ripe", "colour", "size"]]
    # A column of text that happens to hold numbers alone stays text.
    frame["colour"] = 7
    frame.assign(more=1).to_csv("test.csv", index=False)
    assert run_quickly("--test", "test.csv", "--json", "report.json") == 0
    report = json.loads(teacher.with_name("report.json").read_text())
    assert (report["n_rows"], report["n_test_rows"]) == (N_ROWS, N_ROWS)
    assert report["test_size"] is None
    assert "160 to test on" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [int, float, bool])
def test_labels_keep_their_type(kind, data):
    frame = make_frame()
    labels = (frame.pop("label") == "good").astype(kind)
    frame.assign(label=labels).to_csv(data, index=False)
    joblib.dump(
        make_pipeline(prepare_columns(frame), LogisticRegression()).fit(frame, labels),
        "teacher.joblib",
    )
    frame.assign(label=labels).to_csv("test.csv", index=False)
    assert run_quickly("--test", "test.csv") == 0
    assert joblib.load("student.joblib").classes_.dtype == np.dtype(kind)


def test_text_labels_of_digits_in_the_test_file(capsys, data):
    frame = make_frame()
    labels = frame["label"].map({"good": "1", "bad": "x"})
    frame.assign(label=labels).to_csv(data, index=False)
    frame[labels == "1"].assign(label=1).to_csv("test.csv", index=False)
    X = frame.drop(columns="label")
    teacher = make_pipeline(prepare_columns(X), LogisticRegression())
    joblib.dump(teacher.fit(X, labels.to_numpy(dtype=str)), "teacher.joblib")
    assert run_quickly("--test", "test.csv") == 0


def test_loads_without_the_package(teacher, monkeypatch):
    network = MLPClassifier((8,), max_iter=20)
    monkeypatch.setitem(
        _cli.STUDENTS, "mlp", lambda X: make_pipeline(prepare_columns(X), network)
    )
    assert run_quickly("--student", "mlp") == 0
    frame = make_frame(seed=5).drop(columns="label")
    joblib.dump(frame, "rows.joblib")
    code = (
        "import sys; sys.modules['skdistill'] = None; import joblib; "
        "model = joblib.load('student.joblib'); "
        "proba = model.predict_proba(joblib.load('rows.joblib')); "
        "joblib.dump(proba, 'proba.joblib')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    expected = joblib.load("student.joblib").predict_proba(frame)
    np.testing.assert_array_equal(joblib.load("proba.joblib"), expected)


def test_help_is_short():
    done = call_module("--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) <= 12
    for action in ("--target", "--teacher", "--student", "--out", "--json", "--test"):
        assert action in done.stdout
    for name in _cli.STUDENTS:
        assert name in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 81


def test_lines_without_rich(capsys, teacher, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert run_quickly() == 0
    out, err = capsys.readouterr()
    assert "step 2 of 2, student" in err
    assert "step" not in out


def test_warnings_are_summed_up(capsys, teacher, monkeypatch):
    monkeypatch.setitem(
        _cli.STUDENTS,
        "logistic",
        lambda X: make_pipeline(prepare_columns(X), LogisticRegression(max_iter=1)),
    )
    assert run_quickly() == 0
    notes = [x for x in capsys.readouterr().err.splitlines() if x.startswith("Note")]
    assert len(notes) == 1
    assert ConvergenceWarning.__name__ in notes[0]


def test_several_warnings_make_one_line(capsys):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("one", "two", "X does not have valid feature names, but", "one"):
            warnings.warn(text, UserWarning, stacklevel=1)
        warnings.warn("later", FutureWarning, stacklevel=1)
    _cli._note_warnings(caught)
    assert capsys.readouterr().err == "Note: UserWarning: one (and 1 more)\n"


def make_figures(teacher, baseline, student):
    """Figures with given (right rows of 100, log loss) for each of the three."""

    def make(scores):
        n_right, loss = scores
        correct = np.arange(100) < n_right
        return _measure.Figures(
            *(n_right / 100, loss, 1.0, 0.0, 0.0, 1000, 10.0, 20.0, 200, 5e4),
            correct=correct,
        )

    names = (TEACHER, BASELINE, DISTILLED)
    return dict(zip(names, map(make, (teacher, baseline, student)), strict=True))


def report_on(*scores):
    figures = make_figures(*scores)
    return _measure.format_report(figures, _measure.compare_models(figures))


def test_report_of_an_advantage():
    text = report_on((90, 0.2), (70, 0.6), (85, 0.3))
    assert "accuracy  75%  (an advantage of 20 of 100 test rows)" in text
    assert "log loss  75%" in text
    assert "no advantage" not in text
    assert "worse" not in text
    assert "1.0 times smaller" in text


def test_report_says_an_advantage_is_within_chance():
    assert "2 of 100 test rows, within chance" in report_on(
        (90, 0.2), (88, 0.6), (89, 0.3)
    )


def test_report_says_there_is_no_advantage():
    text = report_on((80, 0.5), (80, 0.4), (90, 0.3))
    assert text.count("undefined (no advantage)") == 2
    assert "no better than the hard-label student in accuracy and log loss" in text


def test_report_says_the_student_is_worse():
    text = report_on((90, 0.2), (80, 0.4), (70, 0.3))
    assert "-100%" in text
    assert "distilled student is worse than the hard-label student in accuracy." in text


def test_ratios_are_said_the_right_way_round():
    assert _measure._format_ratio(0.5, "faster", "slower") == "2.0 times slower"
    assert _measure._format_ratio(1234.5, "faster", "slower") == "1,234 times faster"


def test_json_has_no_nan():
    record = {"a": [float("nan"), (float("inf"), 1.5)], "b": {"c": None, "d": object}}
    text = _measure.encode_json(record)
    loaded = json.load(io.BytesIO(text))
    assert loaded["a"] == [None, [None, 1.5]]
    assert loaded["b"]["c"] is None


def test_versions_of_what_is_installed(monkeypatch):
    def lack(name):
        raise _measure.PackageNotFoundError

    monkeypatch.setattr(_measure, "version", lack)
    assert sorted(_measure.list_versions()) == ["python", "skdistill"]


def test_latency_is_bounded_by_time_and_repeats(monkeypatch):
    monkeypatch.setattr(_measure, "_MAX_REPEATS", 7)
    monkeypatch.setattr(_measure, "_LATENCY_SECONDS", 60)
    shapes = []
    times = _measure.time_single_rows(
        lambda row: shapes.append(row.shape), np.zeros((4, 3)), 2
    )
    assert len(times) == 7
    assert set(shapes) == {(1, 3)}


def test_long_errors_are_cut():
    assert len(_tables.one_line(ValueError("word " * 1000))) == 400
    assert _tables.one_line(ValueError("a b\nc d e"), 6) == "a b..."
    assert _tables.one_line(ValueError()) == "ValueError"
