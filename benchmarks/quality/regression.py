"""What the defaults of DistilledRegressor keep of a teacher, on tables of values.

`DistilledRegressor(teacher, student)` with nothing else set, against the same student
trained on the true values, by RMSE on held-out rows.

- Teachers: "vote" is the mean of LightGBM, a random forest, extra trees and a network
  (on standardised targets); "boosted" one LightGBM.
- Students: "mlp" 64-32 behind scaling, "lightgbm" 50 trees of 15 leaves, "default"
  (student=None), "tree" of depth 6, and "linear", ridge regression.
- "hard" is the best, by the mean over the seeds, of the student as it is, a network
  stopped early, and one trained for as many updates as the distilled one made, always
  on standardised targets.
- The share of the advantage is a ratio of sums, each RMSE as a share of the target's
  standard deviation, over the tables where the teacher beats "hard" by more than a
  standard error over the seeds. Wins and losses are by more than a standard error of
  the paired difference; harm is 1% and two standard errors.
- Seconds are CPU seconds of the distilled fit, which fits the teacher as well.

    python -m benchmarks.quality.regression --data casp compactiv --seeds 0 1 2
    python -m benchmarks.quality.regression --smoke
"""

from __future__ import annotations

import os
import warnings
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor

from .._data import find_readable
from .._measure import fit_for_epochs, last_step
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, sort_like
from ._models import count_epochs, count_updates, put_behind_columns
from ._values import TABLES, split_values

FOLDER = Path(__file__).parent
KEYS = ("teacher", "data", "student", "seed", "rows")
TEACHERS = ("vote", "boosted")
STUDENTS = ("mlp", "lightgbm", "default", "tree", "linear")


def make_teacher(name: str, X, n_trees: int):
    boosted = make_boosted(n_estimators=n_trees, learning_rate=0.05)
    if name == "boosted":
        return put_behind_columns(X, boosted, scale=False)
    network = MLPRegressor(
        hidden_layer_sizes=(128, 64), tol=5e-4, n_iter_no_change=5, max_iter=1000
    )
    members = [
        ("lightgbm", boosted),
        ("forest", RandomForestRegressor(n_trees)),
        ("extra", ExtraTreesRegressor(n_trees)),
        ("mlp", on_standard_scale(network)),
    ]
    return put_behind_columns(X, VotingRegressor(members))


def make_student(name: str, X, seed: int, n_epochs: int):
    """An unfitted student; None is the package's own."""
    if name == "default":
        return None
    if name == "mlp":
        layers = {"hidden_layer_sizes": (64, 32), "max_iter": n_epochs}
        return put_behind_columns(X, MLPRegressor(**layers, random_state=seed))
    if name == "linear":
        return put_behind_columns(X, Ridge())
    if name == "tree":
        model = DecisionTreeRegressor(max_depth=6, random_state=seed)
    else:
        model = make_boosted(n_estimators=50, num_leaves=15, random_state=seed)
    return put_behind_columns(X, model, scale=False)


def make_boosted(**settings) -> LGBMRegressor:
    return LGBMRegressor(n_jobs=1, deterministic=True, verbose=-1, **settings)


def on_standard_scale(model) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def fit_hard(student, distilled, X, y) -> dict:
    """The student of the true values, each way."""
    if student is None:
        # Clones of what was built for these columns, seeds included.
        student = clone(distilled.student_)
    fitted = {"as is": on_standard_scale(clone(student)).fit(X, y)}
    learned = last_step(distilled.student_)
    if not isinstance(learned, MLPRegressor):
        return fitted
    if not learned.early_stopping:
        stopped = clone(student)
        last_step(stopped).set_params(early_stopping=True)
        fitted["stopped early"] = on_standard_scale(stopped).fit(X, y)
    n_epochs = count_epochs(count_updates(learned), len(y), learned)
    scaler = StandardScaler().fit(y[:, None])
    trained = fit_for_epochs(student, n_epochs, X, scaler.transform(y[:, None])[:, 0])
    fitted["equal updates"] = _Rescaled(trained, scaler)
    return fitted


class _Rescaled:
    """A model of standardised values in the units of y."""

    def __init__(self, model, scaler):
        self.model, self.scaler = model, scaler

    def predict(self, X):
        values = self.model.predict(X)[:, None]
        return self.scaler.inverse_transform(values)[:, 0]


def run_job(
    teacher: str, data: str, student: str, seed: int, rows: int, *, n_trees=200,
    n_epochs=200,
) -> list[dict]:  # fmt: skip
    """One fit with its rivals."""
    X, X_test, y, y_test = split_values(data, seed, rows)
    parts = make_teacher(teacher, X, n_trees), make_student(student, X, seed, n_epochs)
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled = DistilledRegressor(*parts, random_state=seed).fit(X, y)
        seconds = process_time() - start
        hard = fit_hard(parts[1], distilled, X, y)

    def rate(model) -> float:
        return float(root_mean_squared_error(y_test, model.predict(X_test)))

    chosen = [p["learns from"] for p in distilled.pilots_ if p["chosen"]]
    record = {"teacher": teacher, "data": data, "student": student, "seed": seed}
    return [
        {
            **record,
            "rows": rows,
            "learned": chosen[0] if chosen else "transfer set",
            "deviation": float(y_test.std()),
            "rmse": {
                "teacher": rate(distilled.teacher_),
                "distilled": rate(distilled),
                "hard": {name: rate(model) for name, model in hard.items()},
            },
            "seconds": seconds,
        }
    ]


def summarise(records: list[dict]) -> list[dict]:
    """One line a teacher, student and table, over the seeds."""
    lines = []
    runs_of = group(records, "teacher", "student", "data")
    for (teacher, student, data), runs in runs_of.items():
        rmse = [run["rmse"] for run in runs]
        ways = rmse[0]["hard"]
        hard = min(([one["hard"][way] for one in rmse] for way in ways), key=np.mean)
        served = np.array([one["distilled"] for one in rmse])
        said = np.array([one["teacher"] for one in rmse])
        unit = np.mean([run["deviation"] for run in runs])
        gain, edge = (np.array(hard) - other for other in (served, said))
        line = {"teacher": teacher, "student": student, "data": data}
        lines.append(
            {
                **line,
                "seeds": len(runs),
                "hard": np.mean(hard),
                "distilled": served.mean(),
                "teacher_rmse": said.mean(),
                "seconds": np.mean([run["seconds"] for run in runs]),
                "gain": gain.mean() / unit,
                "edge": edge.mean() / unit,
                "has edge": is_certain(edge / unit),
                "sign": is_certain(gain / unit) - is_certain(-gain / unit),
                "harm": is_certain(-gain / np.mean(hard) - 0.01, 0)
                and is_certain(-gain / unit, 2),
            }
        )
    return lines


def is_certain(values, n_errors: float = 1) -> bool:
    """Whether a mean is above 0 by so many standard errors, and more than rounding."""
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return bool(values.mean() > max(n_errors * error, 1e-6))


def print_report(records: list[dict]) -> None:
    lines = sort_like(summarise(records), teacher=TEACHERS, student=STUDENTS)
    lines_of = group(lines, "teacher", "student")
    for (teacher, student), own in lines_of.items():
        print_table(
            f"Teacher {teacher}, student {student}: RMSE",
            ["data", "seeds", "hard", "distilled", "teacher's", "share", "seconds"],
            [show_line(line) for line in own],
        )
    counts = ["with an advantage", "wins", "ties", "losses"]
    print_table(
        "Share of the advantage",
        ["teacher", "student", "share", *counts, "seconds", "harmed"],
        [[*names, *show_total(own)] for names, own in lines_of.items()],
    )


def show_line(line: dict) -> list[str]:
    """One table's cells."""
    figures = [f"{line[k]:.4g}" for k in ("hard", "distilled", "teacher_rmse")]
    share = f"{line['gain'] / line['edge']:z.0%}" if line["has edge"] else "-"
    return [line["data"], line["seeds"], *figures, share, f"{line['seconds']:.0f}"]


def show_total(lines: list[dict]) -> list:
    """The cells of one student over the tables."""
    edged = [line for line in lines if line["has edge"]]
    total = sum(line["edge"] for line in edged)
    share = f"{sum(line['gain'] for line in edged) / total:z.0%}" if edged else "-"
    signs = [line["sign"] for line in lines]
    counts = [signs.count(sign) for sign in (1, 0, -1)]
    seconds = np.mean([line["seconds"] for line in lines])
    harmed = ", ".join(line["data"] for line in lines if line["harm"])
    return [share, len(edged), *counts, f"{seconds:.0f}", harmed or "-"]


def main() -> None:
    args = read_arguments(
        __doc__,
        teachers={"nargs": "+", "choices": TEACHERS, "default": TEACHERS},
        students={"nargs": "+", "choices": STUDENTS, "default": STUDENTS},
        data={"nargs": "+", "choices": list(TABLES), "default": list(TABLES)},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 2000, "help": "most training rows"},
        jobs={"type": int, "default": 2, "help": "processes"},
    )
    if args.smoke:
        os.environ["PIP_NO_INDEX"] = "1"
        results = Results(None, KEYS)
        jobs = [
            dict(zip(KEYS, (*pair, 0, 500), strict=True))
            for pair in product(TEACHERS, ["friedman1"], STUDENTS)
        ]
        make_runs(results, jobs, run_job, n_trees=5, n_epochs=2)
        print_report(results.records)
        return
    results = Results(FOLDER / "regression.csv", KEYS)
    runs = [
        dict(zip(KEYS, (teacher, data, student, seed, args.rows), strict=True))
        for seed, teacher, data, student in product(
            args.seeds, args.teachers, args.data, args.students
        )
    ]
    jobs = find_missing(results, runs, args)
    readable = find_readable({job["data"] for job in jobs}, TABLES)
    jobs = [job for job in jobs if job["data"] in readable]
    make_runs(results, jobs, run_job, args.jobs)
    print_report([r for r in results.records if r["rows"] == args.rows])


if __name__ == "__main__":
    main()
