"""What learning soft targets costs, beside learning hard labels.

- Training: an `MLPClassifier` on hard labels; the same network as the student of
  `DistilledClassifier` on stored probabilities (the native route, checks and all);
  and the expansion route, one weighted copy of a row per class. All three make
  the same number of updates with the same rows in each (the expansion needs
  batches as many times larger as it makes copies). Ratio of median CPU
  times of one thread over interleaved repeats; the target for the native route
  is at most 1.2.
- Serving: `DistilledClassifier.predict_proba` on one row, beside the bare
  `student_`; the target is at most 1.15.

    python benchmarks/cost.py            # about a minute; writes cost.json
    python benchmarks/cost.py --smoke    # seconds; writes nothing
"""

from __future__ import annotations

from _common import fit_quietly, print_table, read_arguments, write_json

# isort: split
from time import process_time

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill._soft_data import SoftDataset
from skdistill._students._expansion import expand_rows

BATCH = 200


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


ROUTES = {"hard": fit_hard, "native": fit_native, "expansion": fit_expanded}


def time_training(n_samples: int, n_classes: int, epochs: int, repeats: int) -> dict:
    """Median seconds of each route, and the number of updates each made."""
    X, y, proba = make_rows(n_samples, n_classes)
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
    return {"n_classes": n_classes, "updates": updates, **summarise(seconds, "hard")}


def time_serving(n_calls: int, repeats: int) -> dict:
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


def summarise(seconds: dict[str, list[float]], base: str) -> dict:
    """Medians, their ratios to the base, and the spread of the paired ratios."""
    median = {name: float(np.median(times)) for name, times in seconds.items()}
    paired = {n: np.divide(times, seconds[base]) for n, times in seconds.items()}
    return {
        "median_seconds": median,
        "ratio": {name: value / median[base] for name, value in median.items()},
        "ratio_sd": {n: float(r.std(ddof=1)) for n, r in paired.items()},
    }


def training_rows(result: dict) -> list[list]:
    return [
        [
            result["n_classes"] if name == "hard" else "",
            name,
            result["updates"][name],
            f"{result['median_seconds'][name]:.3f}",
            f"{result['ratio'][name]:.3f} ± {result['ratio_sd'][name]:.3f}",
        ]
        for name in ROUTES
    ]


def main() -> None:
    smoke = read_arguments(__doc__).smoke
    n_samples, epochs, repeats = (500, 2, 2) if smoke else (8000, 5, 9)
    training = [
        time_training(n_samples, n_classes, epochs, repeats)
        for n_classes in ((2, 10) if smoke else (2, 10, 26))
    ]
    serving = time_serving(*((20, 2) if smoke else (300, 31)))

    print_table(
        f"Training, {n_samples} rows, {epochs} epochs, {repeats} interleaved repeats",
        ["classes", "route", "updates", "median CPU seconds", "ratio to hard"],
        [row for result in training for row in training_rows(result)],
    )
    print_table(
        "Serving one row",
        ["model", "median CPU microseconds", "ratio"],
        [
            [
                name,
                f"{1e6 * value:.1f}",
                f"{serving['ratio'][name]:.3f} ± {serving['ratio_sd'][name]:.3f}",
            ]
            for name, value in serving["median_seconds"].items()
        ],
    )
    if not smoke:
        rows = {"n_samples": n_samples, "epochs": epochs, "repeats": repeats}
        write_json("cost.json", {**rows, "training": training, "serving": serving})


if __name__ == "__main__":
    main()
