# The threads are pinned before NumPy is imported.
# ruff: noqa: E402
"""What the benchmarks share: pinned threads, scores, tables and JSON files."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    # Read when NumPy is imported, so this module is imported before it.
    os.environ[_name] = "1"

import argparse
import json
import pickle
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import Pipeline

FOLDER = Path(__file__).parent


def read_arguments(description: str, **options: dict) -> argparse.Namespace:
    """`--smoke`, and what else the script takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny, writes nothing")
    for name, settings in options.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


def score(model, X, y) -> dict[str, float]:
    """Accuracy and log loss on held-out rows."""
    proba = model.predict_proba(X)
    predicted = model.classes_[proba.argmax(axis=1)]
    return {
        "accuracy": float(accuracy_score(y, predicted)),
        "log_loss": float(log_loss(y, proba, labels=model.classes_)),
    }


def last_step(model):
    """The learner at the end of a pipeline, or the model itself."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def fit_quietly(model, X, y, **params):
    """Fit; a fixed number of epochs is meant to end before convergence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **params)


def fit_for_epochs(student, n_epochs: int, X, y):
    """Fit a clone on hard labels for exactly `n_epochs` passes over all rows."""
    student = clone(student)
    last_step(student).set_params(
        early_stopping=False, max_iter=n_epochs, tol=0.0, n_iter_no_change=n_epochs
    )
    return fit_quietly(student, X, y)


def n_bytes(model) -> int:
    """Bytes of the pickle, as it would be stored."""
    return len(pickle.dumps(model))


def count_weights(network) -> int:
    """Weights and intercepts of a fitted `MLPClassifier`."""
    return sum(part.size for part in [*network.coefs_, *network.intercepts_])


def added_megabytes(work: Callable[[], Any]) -> float | None:
    """MB of resident memory that `work` adds at its peak; None where there is no /proc.

    What native libraries hold counts. To be called in a fresh process, for memory
    that was freed before and is used again does not show.
    """
    switch, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not switch.exists():
        return None

    def read(name: str) -> float:
        lines = status.read_text().splitlines()
        return float(next(x for x in lines if x.startswith(name)).split()[1]) / 1e3

    switch.write_text("5")  # the peak starts from what is held now
    before = read("VmRSS")
    work()
    return read("VmHWM") - before


def spread(values) -> dict[str, float]:
    """Mean, and standard deviation between seeds."""
    values = np.asarray(list(values), dtype=float)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "sd": sd}


def show(summary: dict[str, float], digits: int = 4) -> str:
    """Mean ± standard deviation."""
    return f"{summary['mean']:.{digits}f} ± {summary['sd']:.{digits}f}"


def print_table(title: str, header: list[str], rows: list[list]) -> None:
    """Print a Markdown table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    cells.insert(1, ["-" * width for width in widths])
    print(f"\n{title}\n")
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(padded)} |")


def _without_nan(value):
    """JSON has no NaN: what is undefined becomes null."""
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def write_json(name: str, result: dict) -> None:
    """Write a result beside the scripts, with the versions that gave it."""
    versions = {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "joblib": joblib.__version__,
    }
    path = FOLDER / name
    text = json.dumps(_without_nan({"versions": versions, **result}), indent=1)
    # Beside its place first: another piece of a long run may be reading it.
    part = path.with_name(f".{name}.{os.getpid()}.part")
    part.write_text(text + "\n")
    os.replace(part, path)
    print(f"\nWritten: {path.name}")
