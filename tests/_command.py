"""The command, run in this process on small tables."""

import json
import os
import subprocess
import sys
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdistill.__main__ import main

N_ROWS = 160
#: Two files whose making takes longer than all other work on a small table.
WITHOUT = "--no-onnx", "--no-report"


def make_frame(seed=0, n_rows=N_ROWS):
    """Numbers, text and gaps; the label depends on both kinds of column."""
    rng = np.random.RandomState(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
            "ripe": rng.rand(n_rows) < 0.5,
            "age": rng.randint(10, size=n_rows),
        }
    )
    good = frame["size"] + (frame["colour"] == "red") + rng.normal(0, 0.3, n_rows) > 0
    frame["label"] = np.where(good, "good", "bad")
    frame.loc[frame.index[::9], "size"] = np.nan
    frame.loc[frame.index[::11], "colour"] = None
    return frame


def prepare_columns():
    """Take numbers, text and gaps."""
    return make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore"),
            make_column_selector(dtype_exclude="number"),
        ),
    )


def run(*arguments):
    return main([str(argument) for argument in arguments])


def run_quickly(*arguments):
    return run(
        *("data.csv", "--target", "label", "--teacher", "teacher.joblib"),
        *("--student", "logistic", *WITHOUT),
        *arguments,
    )


def read_report():
    with open("report.json") as file:
        return json.load(file)


def refuse(capsys, *arguments, runner=run):
    """Run what must be refused; returns its one line of error."""
    before = sorted(os.listdir())
    assert runner(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("skdistill")]
    assert len(lines) == 1
    assert lines[0].startswith("skdistill: error: ")
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before
    return lines[0]


def refuse_text(capsys, text):
    """Refuse a file with this content."""
    with open("bad.csv", "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return refuse(capsys, "bad.csv", "--target", "label")


def call_module(*arguments):
    command = [sys.executable, "-m", "skdistill", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def write_teacher(path):
    """A teacher that is quick to run, fitted on other rows."""
    frame = make_frame(seed=1)
    X, y = frame.drop(columns="label"), frame["label"].to_numpy(dtype=str)
    model = make_pipeline(prepare_columns(), RandomForestClassifier(10)).fit(X, y)
    joblib.dump(model, path)
    return path


class Remembering:
    """A teacher that keeps the rows that it is shown, and ends the run unfitted."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        joblib.dump(X, "seen.joblib")
        raise ValueError("enough")


def read_rows(*arguments):
    """Return the first row to test on as a teacher gets it, without any fit."""
    joblib.dump(Remembering(), "teacher.joblib")
    options = "--target", "label", "--teacher", "teacher.joblib"
    assert run(*arguments, *options) == 2
    return joblib.load("seen.joblib")


def keep_candidates(candidates, *names):
    """Let a search try these alone, and leave the order as it was: fits follow it."""
    kept = {name: candidates[name] for name in names}
    return patch.dict(candidates, kept, clear=True)


def shrink_default_teacher(monkeypatch, forest=RandomForestClassifier):
    """Several fits of the real one would take the time of all other tests."""

    def make(X, *args, **kwargs):
        columns = prepare_columns() if hasattr(X, "columns") else SimpleImputer()
        return make_pipeline(columns, forest(10))

    monkeypatch.setattr("skdistill._labels._task.default_teacher", make)
