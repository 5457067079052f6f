"""The command, run in this process on small tables."""

import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from skdistill._cli import main
from skdistill._labels._defaults import prepare_columns
from skdistill.inspection import _measure
from skdistill.inspection._measure import BASELINE, DISTILLED, TEACHER

N_ROWS = 160


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


def run(*arguments):
    return main([str(argument) for argument in arguments])


def run_quickly(*arguments):
    return run(
        *("data.csv", "--target", "label", "--teacher", "teacher.joblib"),
        *("--student", "logistic"),
        *arguments,
    )


def call_module(*arguments):
    command = [sys.executable, "-m", "skdistill", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def write_teacher(path):
    """A teacher that is quick to run, fitted on other rows."""
    frame = make_frame(seed=1)
    X, y = frame.drop(columns="label"), frame["label"].to_numpy(dtype=str)
    model = make_pipeline(prepare_columns(X), RandomForestClassifier(10)).fit(X, y)
    joblib.dump(model, path)
    return path


def shorten_times(monkeypatch):
    monkeypatch.setattr(_measure, "_LATENCY_SECONDS", 0.01)
    monkeypatch.setattr(_measure, "_BATCH_SECONDS", 0.001)
    monkeypatch.setattr(
        _measure, "_MIN_REPEATS", dict.fromkeys((TEACHER, BASELINE, DISTILLED), 3)
    )
