"""What the command refuses, and what an interrupt leaves behind."""

import errno
import os
import sys

import joblib
import numpy as np
import pytest
from _command import call_module, make_frame, refuse, run_quickly
from sklearn.linear_model import LogisticRegression, RidgeClassifier


@pytest.mark.slow
def test_error_in_a_process():
    done = call_module("nowhere.csv", "--target", "label")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "skdistill: error: can't read nowhere.csv: No such file or directory."
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "label"], "need a CSV file"),
        (["--test", "test.csv"], "need a CSV file"),
        (["data.csv"], "needs --target"),
        (["data.csv", "--target", "label", "--colour"], "--colour"),
        # A name is written out: a shorter one would change with the next option.
        (["--see", "2"], "--see"),
        # A parameter of the API alone.
        (["--temperature", "2"], "--temperature"),
        (["--max-latency-us", "0"], "received '0'"),
        (["--max-latency-us", "nan"], "received 'nan'"),
        (["--max-latency-us", "warm"], "must be a number in (0, inf)"),
        (["--max-bytes", "2.5"], "must be a whole number in [1, inf)"),
        (["--seed", "-1"], "[0, 4294967296)"),
        (["--test-size", "1"], "(0, 1)"),
        (["--test-size", "0.5"], "need a CSV file"),
        (["--out", "x.onnx", "--no-onnx"], "leave out --no-onnx"),
        (["--report", "student.onnx"], "used twice"),
        (["--student", "oracle"], "oracle"),
        (
            ["d.csv", "--target", "y", "--test", "t.csv", "--test-size", "0.5"],
            "not both",
        ),
        (["d.csv", "--target", "y", "--target", "z"], "--target is given twice: y"),
        (["--max-bytes", "0"], "must be a whole number in [1, inf)"),
        (["--max-bytes", "100", "--student", "tree"], "leave out --student"),
        (["--out", "nowhere/student.joblib"], "no folder nowhere"),
        (["--out", "."], "not a file"),
        (["--json", "student.joblib"], "used twice"),
        (["data.csv", "--target", "label", "--out", "data.csv"], "used twice"),
        (["--teacher", "nowhere.joblib"], "no teacher file"),
    ],
)
def test_refused_options(arguments, said, capsys):
    # What is not refused ends at a teacher that is missing, before any work.
    missing = "--teacher", "nowhere.joblib"
    more = () if "--teacher" in arguments else missing
    assert said in refuse(capsys, *arguments, *more)


def test_refused_class_of_one_row(capsys, data):
    frame = make_frame()
    frame.loc[:1, "label"] = "rare"
    frame.to_csv(data, index=False)
    line = refuse(capsys, data, "--target", "label", "--test-size", 0.5)
    assert "class 'rare' of " in line


def test_refused_folder_for_a_file(capsys, tmp_path):
    assert "can't read" in refuse(capsys, tmp_path, "--target", "label")
    reason = os.strerror(errno.ENOENT)
    error = refuse(capsys, "nowhere.csv", "--target", "label")
    assert error == f"skdistill: error: can't read nowhere.csv: {reason}."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns=["age", "size"]), "['age', 'size']"),
        (lambda frame: frame.assign(age="old"), "column 'age' holds numbers"),
        (lambda frame: frame.assign(label="odd"), "lacks: ['odd']"),
        (lambda frame: frame.drop(columns="label"), "no column 'label'"),
    ],
)
def test_refused_test_files(change, said, capsys, data):
    change(make_frame()).to_csv("test.csv", index=False)
    assert said in refuse(capsys, data, "--target", "label", "--test", "test.csv")


def test_refused_teachers(capsys, data, teacher):
    teacher.write_bytes(b"no pickle")
    assert "can't load the teacher" in refuse(capsys, runner=run_quickly)
    X, y = np.arange(20.0)[:, None], np.arange(20) % 2
    joblib.dump(RidgeClassifier().fit(X, y), teacher)
    assert "no classifier with predict_proba" in refuse(capsys, runner=run_quickly)
    joblib.dump(LogisticRegression().fit(X, y), teacher)
    assert "can't predict rows of data.csv" in refuse(capsys, runner=run_quickly)
    joblib.dump(LogisticRegression(), teacher)
    assert "can't predict rows of data.csv" in refuse(capsys, runner=run_quickly)


class Broken(LogisticRegression):
    def predict_proba(self, X):
        raise ValueError("several\nwords " * 1000)


def test_long_errors_are_cut(capsys, data, teacher):
    X, y = np.arange(20.0)[:, None], np.arange(20) % 2
    joblib.dump(Broken().fit(X, y), teacher)
    line = refuse(capsys, runner=run_quickly)
    start = "can't predict rows of data.csv: "
    text = line[line.index(start) + len(start) :]
    assert len(text) == 400
    assert text.startswith("several words several")
    assert text.endswith("...")


def test_refused_student_that_is_not_installed(capsys, teacher, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    line = refuse(capsys, "--student", "xgboost", runner=run_quickly)
    assert "pip install xgboost" in line


def test_refused_without_pandas(capsys, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert 'pip install "skdistill[cli]"' in refuse(capsys, data, "--target", "label")


def test_refused_read_only_folder(capsys, monkeypatch):
    def refuse_to_write(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse_to_write)
    assert "Permission denied" in refuse(capsys)


def test_full_disk_leaves_nothing_behind(capsys, teacher, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    assert "No space left" in refuse(capsys, runner=run_quickly)


def test_interrupt(capsys, teacher, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    before = sorted(os.listdir())
    monkeypatch.setattr(LogisticRegression, "fit", interrupt)
    assert run_quickly() == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "skdistill: interrupted, nothing was written."
    assert sorted(os.listdir()) == before
