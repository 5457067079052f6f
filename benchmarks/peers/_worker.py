"""Run one peer on one task, in the peer's own environment, and measure its students.

`_run.py` runs this file. What is known is written after each student, so that a
peer that is stopped, or dies, leaves what it had.

    python -m benchmarks.peers._worker PEER ROWS.npz RESULT.json '{"seed": 0, ...}'
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from tempfile import mkdtemp
from time import process_time_ns
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    r2_score,
    root_mean_squared_error,
)

from .tools import open_peer
from .tools._task import Failure, Student, Task

#: Calls with one row: at most so many, or for so long, but at least `MIN_CALLS`.
MAX_CALLS, MIN_CALLS, CALL_SECONDS = 2000, 20, 2.0
N_DISTINCT_ROWS = 50


def write_rows(path: Path, X_train, X_test, y_train, y_test) -> None:
    """Frames, labels 0, 1, ... or values as arrays, which any version can read."""
    arrays = {"y_train": y_train, "y_test": y_test}
    for part, X in (("train", X_train), ("test", X_test)):
        for name in X:
            numbers = X[name].dtype.kind in "iufb"
            values = X[name].to_numpy(dtype=float if numbers else str)
            arrays[f"{part}/{name}"] = values
    np.savez(path, **arrays)


def read_rows(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, Any, Any]:
    stored = np.load(path)

    def read(part: str) -> pd.DataFrame:
        names = [name for name in stored.files if name.startswith(f"{part}/")]
        return pd.DataFrame({name.partition("/")[2]: stored[name] for name in names})

    return read("train"), read("test"), stored["y_train"], stored["y_test"]


def score_values(values: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {
        "rmse": float(root_mean_squared_error(y, values)),
        "r2": float(r2_score(y, values)),
    }


def score_probabilities(proba: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Figures of what was served, put right first where it is no probability."""
    outside = ((proba < 0) | (proba > 1)).any(axis=1)
    usable = np.clip(proba, 0, 1)
    # Rows of zeros, once cut, become the uniform distribution.
    usable[usable.sum(axis=1) == 0] = 1
    usable /= usable.sum(axis=1, keepdims=True)
    return {
        "accuracy": float(accuracy_score(y, proba.argmax(axis=1))),
        "log_loss": float(log_loss(y, usable, labels=np.arange(proba.shape[1]))),
        "rows_outside": int(outside.sum()),
    }


def time_rows(student: Student) -> dict[str, float]:
    """Median CPU microseconds of calls with one row, cut beforehand."""
    frame = isinstance(student.rows, pd.DataFrame)
    cut = student.rows.iloc if frame else student.rows
    rows = [cut[k : k + 1] for k in range(min(N_DISTINCT_ROWS, len(student.rows)))]
    for row in rows[:5]:
        student.serve(row)
    times: list[int] = []
    while len(times) < MAX_CALLS:
        row, start = rows[len(times) % len(rows)], process_time_ns()
        student.serve(row)
        times.append(process_time_ns() - start)
        if len(times) >= MIN_CALLS and sum(times) > CALL_SECONDS * 1e9:
            break
    return {"p50_us": float(np.percentile(times, 50)) / 1e3}


def measure(student: Student, y_test: np.ndarray, task: Task) -> dict[str, Any]:
    served = np.asarray(student.serve(student.rows), dtype=float)
    each = () if task.regression else (task.n_classes,)
    if served.shape != (len(y_test), *each):
        return {"failed": f"served shape {served.shape}"}
    if not np.isfinite(served).all():
        return {"failed": "served values that are not finite"}
    score = score_values if task.regression else score_probabilities
    return {
        **score(served, y_test),
        **time_rows(student),
        "fit_seconds": student.seconds,
        "bytes": student.n_bytes,
        **student.notes,
    }


def main(peer: str, rows: str, result: str, settings: str) -> None:
    warnings.simplefilter("ignore")
    X_train, X_test, y_train, y_test = read_rows(Path(rows))
    folder = Path(mkdtemp())
    students: dict[str, Any] = {}
    try:
        task = Task(X_train, y_train, X_test, folder=folder, **json.loads(settings))
        for outcome in open_peer(peer).fit(task):
            failed = isinstance(outcome, Failure)
            students[outcome.name] = (
                {"failed": outcome.reason} if failed else measure(outcome, y_test, task)
            )
            part = Path(f"{result}.part")
            part.write_text(json.dumps(students, default=str))
            os.replace(part, result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
