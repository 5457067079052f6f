"""What soft targets cost a network, beside hard labels and weighted copies.

- Training: an `MLPClassifier` on hard labels, in double and in single precision; the
  same network as the student of `DistilledClassifier` on stored probabilities (the
  native route, checks and all), and as a student that learns nine tenths of the rows as
  a transfer set, which is done in single precision; and the expansion route, one
  weighted copy of a row per class. All make the same number of updates with the same
  rows in each (the expansion needs batches as many times larger as it makes copies).
  Ratio of median CPU times of one thread over interleaved repeats.
- Loss: log loss on test rows of magic and letter after the same updates on hard labels,
  by scikit-learn's fit and by the package's learner, in both precisions.
- Serving: `DistilledClassifier.predict_proba` on one row, beside the bare
  `student_`; the target is at most 1.15.

    python -m benchmarks.students.network            # about two minutes
    python -m benchmarks.students.network --smoke
"""

from __future__ import annotations

import warnings
from pathlib import Path
from time import process_time

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

from .._measure import fit_quietly
from .._private import SoftDataset, expand_rows, fit_student
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._rows import DATA, load_rows

FOLDER = Path(__file__).parent
KEYS = ("task", "classes")
BATCH = 200
#: Rows, epochs and repeats of training; calls and repeats of serving.
SIZE, SMOKE = ((8000, 10, 9), (300, 31)), ((500, 2, 2), (20, 2))


def make_rows(n_samples: int, n_classes: int):
    """Standardised rows, their labels, and probabilities with no zero in them."""
    X, y = make_classification(
        n_samples,
        n_features=20,
        n_informative=12,
        n_classes=n_classes,
        n_clusters_per_class=1,
        flip_y=0.05,
        random_state=0,
    )
    X = StandardScaler().fit_transform(X)
    proba = LogisticRegression(max_iter=500).fit(X, y).predict_proba(X)
    return X, y, proba


def fit_hard(student, X, y, proba):
    return fit_quietly(clone(student), X, y)


def fit_native(student, X, y, proba):
    distilled = DistilledClassifier(student=student, augmenter=None)
    return fit_quietly(distilled, X, y, teacher_proba=proba).student_


def fit_expanded(student, X, y, proba):
    data = SoftDataset(X, proba, np.unique(y), y)
    copies, labels, weight, _ = expand_rows(data)
    batch = round(BATCH * len(labels) / len(y))
    student = clone(student).set_params(batch_size=batch)
    return fit_quietly(student, copies, labels, sample_weight=weight)


def fit_hard_narrow(student, X, y, proba):
    return fit_hard(student, X.astype(np.float32), y, proba)


def fit_transfer(student, X, y, proba):
    data = SoftDataset(X, proba, np.unique(y), y)
    cut = len(y) // 10
    parts = [data.take(np.arange(cut)), data.take(np.arange(cut, len(y)))]
    return learn_quietly(clone(student), *parts)


ROUTES = {
    "hard": fit_hard,
    "hard, float32": fit_hard_narrow,
    "native": fit_native,
    "transfer set": fit_transfer,
    "expansion": fit_expanded,
}


def time_training(
    classes: int, n_samples: int, epochs: int, repeats: int
) -> list[dict]:
    """Median seconds of each route, and the number of updates each made."""
    X, y, proba = make_rows(n_samples, classes)
    student = MLPClassifier(
        (64, 32),
        batch_size=BATCH,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=epochs,
        random_state=0,
    )
    seconds: dict[str, list[float]] = {name: [] for name in ROUTES}
    updates = {}
    for _ in range(repeats):
        for name, fit in ROUTES.items():
            start = process_time()
            fitted = fit(student, X, y, proba)
            seconds[name].append(process_time() - start)
            updates[name] = int(fitted._optimizer.t)
    records = summarise(seconds, "hard")
    return [{**record, "updates": updates[record["route"]]} for record in records]


def compare_losses(name: str, seeds: int, smoke: bool) -> list[dict]:
    """Test log loss after the same updates on hard labels, by each learner."""
    losses: dict[str, list[float]] = {}
    for seed in range(seeds):
        X, X_test, y, y_test = load_rows(name, seed, smoke)
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
        student = MLPClassifier((64, 32), tol=0.0, random_state=seed)
        student.set_params(max_iter=50, n_iter_no_change=50)
        classes, codes = np.unique(y, return_inverse=True)
        targets = np.eye(len(classes))[codes]
        for dtype in ("float64", "float32"):
            rows = X.astype(dtype)
            data = SoftDataset(rows, targets, classes, np.asarray(y))
            fits = {
                f"scikit-learn, {dtype}": fit_quietly(clone(student), rows, y),
                f"skdistill, {dtype}": learn_quietly(clone(student), data),
            }
            for route, fitted in fits.items():
                proba = fitted.predict_proba(X_test.astype(dtype))
                losses.setdefault(route, []).append(log_loss(y_test, proba))
    return [
        {
            "route": route,
            "loss": float(np.mean(values)),
            "loss_sd": float(np.std(values)),
        }
        for route, values in losses.items()
    ]


def learn_quietly(student, *parts):
    """Fit on soft targets; a fixed number of updates is no failure to converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_student(student, *parts)


def time_serving(n_calls: int, repeats: int) -> list[dict]:
    """Median seconds of one-row predictions, wrapped and bare."""
    X, y, proba = make_rows(1000, 2)
    student = MLPClassifier((64, 32), max_iter=5, random_state=0)
    distilled = DistilledClassifier(student=student, augmenter=None)
    fit_quietly(distilled, X, y, teacher_proba=proba)
    models = {"student_": distilled.student_, "DistilledClassifier": distilled}
    row = X[:1]
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repeats):
        for name, model in models.items():
            start = process_time()
            for _ in range(n_calls):
                model.predict_proba(row)
            seconds[name].append((process_time() - start) / n_calls)
    return summarise(seconds, "student_")


def summarise(seconds: dict[str, list[float]], base: str) -> list[dict]:
    """Medians, their ratios to the base, and the spread of the paired ratios."""
    return [
        {
            "route": route,
            "seconds": float(np.median(times)),
            "ratio": float(np.median(times) / np.median(seconds[base])),
            "ratio_sd": float(np.divide(times, seconds[base]).std(ddof=1)),
        }
        for route, times in seconds.items()
    ]


def measure(task: str, classes: int, smoke: bool) -> list[dict]:
    training, serving = SMOKE if smoke else SIZE
    if task == "training":
        records = time_training(classes, *training)
    elif task == "loss":
        name = next(data for data, count in DATA.items() if count == classes)
        records = compare_losses(name, 1 if smoke else 5, smoke)
    else:
        records = time_serving(*serving)
    return [{"task": task, "classes": classes, **record} for record in records]


def show_ratio(record: dict) -> str:
    return f"{record['ratio']:.3f} ± {record['ratio_sd']:.3f}"


def show_update(record: dict) -> str:
    return f"{1e6 * record['seconds'] / record['updates']:.0f}"


def print_report(records: list[dict], smoke: bool) -> None:
    (n_samples, epochs, repeats), _ = SMOKE if smoke else SIZE
    print_table(
        f"Training, {n_samples} rows, {epochs} epochs, {repeats} interleaved repeats",
        ["classes", "route", "updates", "microseconds an update", "ratio to hard"],
        [
            [
                r["classes"] if r["route"] == "hard" else "",
                *(r["route"], r["updates"], show_update(r), show_ratio(r)),
            ]
            for r in records
            if r["task"] == "training"
        ],
    )
    print_table(
        "Test log loss after equal updates, mean ± SD over seeds",
        ["classes", "learner", "log loss"],
        [
            [r["classes"], r["route"], f"{r['loss']:.4f} ± {r['loss_sd']:.4f}"]
            for r in records
            if r["task"] == "loss"
        ],
    )
    print_table(
        "Serving one row",
        ["model", "median CPU microseconds", "ratio"],
        [
            [r["route"], f"{1e6 * r['seconds']:.1f}", show_ratio(r)]
            for r in records
            if r["task"] == "serving"
        ],
    )


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "network.csv", KEYS)
    classes = (2, 10) if args.smoke else (2, 10, 26)
    runs = [{"task": "training", "classes": k} for k in classes]
    runs += [{"task": "loss", "classes": k} for k in (2, 26)]
    runs.append({"task": "serving", "classes": 2})
    make_runs(results, find_missing(results, runs, args), measure, smoke=args.smoke)
    print_report(results.records, args.smoke)


if __name__ == "__main__":
    main()
