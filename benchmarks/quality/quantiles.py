"""What quantiles of a teacher cover and lose in one student.

`DistilledRegressor(teacher, student, quantiles=(.05, .5, .95))` with nothing else set,
on held-out rows.

- Teacher: a LightGBM of 200 trees for each quantile.
- Students: "mlp" 64-32 behind scaling, "lightgbm" 50 trees of 15 leaves a quantile.
- "directly" is what the true values give without a teacher: for "lightgbm" the same
  trees with the quantile loss; for "mlp", which has no such loss in scikit-learn, a
  network stopped early, and quantiles of its residuals on a fifth of the rows.
- The pinball loss is the mean over the quantiles, in units of the target's standard
  deviation.

    python -m benchmarks.quality.quantiles --data casp --seeds 0 1 2
    python -m benchmarks.quality.quantiles --smoke
"""

from __future__ import annotations

import os
import warnings
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor

from skdistill import DistilledRegressor

from .._data import find_readable
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, sort_like
from ._models import put_behind_columns
from ._values import TABLES, split_values
from .regression import make_boosted, make_student, on_standard_scale

FOLDER = Path(__file__).parent
KEYS = ("data", "student", "seed", "rows")
LEVELS = (0.05, 0.5, 0.95)
NAMES = tuple(f"{level:.0%}" for level in LEVELS)
STUDENTS = ("mlp", "lightgbm")
DATA = ("casp", "diamonds", "friedman1")


def make_quantiles(X, **settings) -> list:
    """One LightGBM a quantile, unfitted."""
    return [
        put_behind_columns(
            X, make_boosted(objective="quantile", alpha=level, **settings), scale=False
        )
        for level in LEVELS
    ]


def make_joint_student(name: str, X, seed: int, n_epochs: int):
    """A student of several columns."""
    student = make_student(name, X, seed, n_epochs)
    return MultiOutputRegressor(student) if name == "lightgbm" else student


def predict_directly(name: str, X, y, X_test, seed: int, n_epochs: int):
    """Return quantiles that were learned from true values, sorted."""
    if name == "lightgbm":
        models = make_quantiles(X, n_estimators=50, num_leaves=15, random_state=seed)
        found = [model.fit(X, y).predict(X_test) for model in models]
        return np.sort(np.column_stack(found), axis=1)
    learned, held_out, y_learned, y_held_out = train_test_split(
        X, y, test_size=0.2, random_state=seed
    )
    network = MLPRegressor(
        hidden_layer_sizes=(64, 32),
        max_iter=n_epochs,
        early_stopping=True,
        random_state=seed,
    )
    model = on_standard_scale(put_behind_columns(X, network)).fit(learned, y_learned)
    residuals = y_held_out - model.predict(held_out)
    return model.predict(X_test)[:, None] + np.quantile(residuals, LEVELS)


def rate(served, y) -> dict:
    """Pinball loss, and the share of rows below each quantile."""
    losses = [
        mean_pinball_loss(y, column, alpha=level)
        for column, level in zip(served.T, LEVELS, strict=True)
    ]
    below = (y[:, None] <= served).mean(axis=0)
    return {
        "pinball": float(np.mean(losses) / y.std()),
        "below": dict(zip(NAMES, below.tolist(), strict=True)),
    }


def run_job(
    data: str, student: str, seed: int, rows: int, *, n_trees=200, n_epochs=200
) -> list[dict]:
    """One fit with its rivals."""
    X, X_test, y, y_test = split_values(data, seed, rows)
    teacher = make_quantiles(X, n_estimators=n_trees, learning_rate=0.05)
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled = DistilledRegressor(
            teacher,
            make_joint_student(student, X, seed, n_epochs),
            quantiles=LEVELS,
            random_state=seed,
        ).fit(X, y)
        seconds = process_time() - start
        directly = predict_directly(student, X, y, X_test, seed, n_epochs)
    return [
        {
            **dict(zip(KEYS, (data, student, seed, rows), strict=True)),
            "teacher": rate(np.sort(distilled.teacher_.predict(X_test)), y_test),
            "distilled": rate(distilled.predict(X_test), y_test),
            "directly": rate(directly, y_test),
            "seconds": seconds,
        }
    ]


def print_report(records: list[dict]) -> None:
    groups = group(sort_like(records, data=DATA, student=STUDENTS), "data", "student")
    models = "distilled", "directly", "teacher"
    print_table(
        "Pinball loss, in standard deviations of the target",
        ["data", "student", "seeds", *models, "seconds"],
        [
            [
                *names,
                len(runs),
                *(show_mean(run[model]["pinball"] for run in runs) for model in models),
                f"{np.mean([run['seconds'] for run in runs]):.0f}",
            ]
            for names, runs in groups.items()
        ],
    )
    print_table(
        "Share of rows below each quantile",
        ["data", "student", "model", *NAMES, "inside", "most off, one seed"],
        [
            [*names, model, *show_coverage([run[model]["below"] for run in runs])]
            for names, runs in groups.items()
            for model in models
        ],
    )


def show_mean(values) -> str:
    """Mean and standard error over the seeds."""
    values = np.array(list(values))
    mean = f"{values.mean():.4f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {values.std(ddof=1) / len(values) ** 0.5:.4f}"


def show_coverage(runs: list[dict]) -> list[str]:
    """Means of the shares, the share between the outer two, and the largest error."""
    below = np.array([list(run.values()) for run in runs])
    mean, most = below.mean(axis=0), np.abs(below - LEVELS).max()
    return [f"{share:.3f}" for share in [*mean, mean[-1] - mean[0], most]]


def main() -> None:
    args = read_arguments(
        __doc__,
        students={"nargs": "+", "choices": STUDENTS, "default": STUDENTS},
        data={"nargs": "+", "choices": list(TABLES), "default": list(DATA)},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 2000, "help": "most training rows"},
        jobs={"type": int, "default": 2, "help": "processes"},
    )
    if args.smoke:
        os.environ["PIP_NO_INDEX"] = "1"
        results = Results(None, KEYS)
        jobs = [
            dict(zip(KEYS, ("friedman1", student, 0, 500), strict=True))
            for student in STUDENTS
        ]
        make_runs(results, jobs, run_job, n_trees=5, n_epochs=2)
        print_report(results.records)
        return
    results = Results(FOLDER / "quantiles.csv", KEYS)
    runs = [
        dict(zip(KEYS, (data, student, seed, args.rows), strict=True))
        for seed, data, student in product(args.seeds, args.data, args.students)
    ]
    jobs = find_missing(results, runs, args)
    readable = find_readable({job["data"] for job in jobs}, TABLES)
    jobs = [job for job in jobs if job["data"] in readable]
    make_runs(results, jobs, run_job, args.jobs)
    print_report([r for r in results.records if r["rows"] == args.rows])


if __name__ == "__main__":
    main()
