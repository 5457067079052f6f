"""Small tables: the package's defaults against hard labels, below 500 rows.

Nine public tables cut to 100, 200 and 400 training rows where they have as many (two
thirds of a table at most), ten seeds of split, teacher and student.

- The teacher is a soft vote of a random forest, logistic regression and naive Bayes:
  accurate on some of the tables, worse than the student alone on others.
- Students: networks of 64 and 32 units and of 16, logistic regression, a tree of depth
  4, LightGBM of 50 trees with 15 leaves, and the package's own. Numbers are scaled in
  front of them, text becomes indicators. Hard labels train the same student as it is.
- Distilled is worse on a table where the paired difference over the seeds is beyond two
  standard errors and beyond .002 in log loss (.003 in accuracy). Tables beyond one
  standard error are counted beside the number that chance gives where there is no
  difference. A tree on hard labels serves probabilities of 0, whose log loss is what a
  floor of 2e-16 makes of it.

    python -m benchmarks.quality.small                                  # hours
    python -m benchmarks.quality.small --students logistic --seeds 0 1 2
    python -m benchmarks.quality.small --smoke
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

from .._data import SMALL, find_readable, split_data
from .._measure import score
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, sort_like
from ._group import fit_timed
from ._models import make_boosted, put_behind_columns

FOLDER = Path(__file__).parent
KEYS = ("data", "rows", "student", "seed")
SIZES = (100, 200, 400)
#: Sizes that a table has not.
SHORT = {"iris": 1, "wine": 1, "heart": 2, "haberman": 2}
STUDENTS = {
    "mlp-64-32": lambda seed: MLPClassifier((64, 32), max_iter=300, random_state=seed),
    "mlp-16": lambda seed: MLPClassifier((16,), max_iter=300, random_state=seed),
    "logistic": lambda seed: LogisticRegression(max_iter=1000),
    "tree": lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
    "lightgbm": lambda seed: make_boosted(
        n_estimators=50, num_leaves=15, random_state=seed
    ),
    "default": None,
}
MODELS = ("hard", "distilled", "teacher")
#: The sign that makes more of a figure worse, and the least difference that counts.
METRICS = {"log_loss": (1, 0.002), "accuracy": (-1, 0.003)}


def list_cases(names) -> list[tuple[str, int]]:
    """Tables and their sizes."""
    return [(name, n) for name in names for n in SIZES[: SHORT.get(name, len(SIZES))]]


def make_teacher(X):
    members = [
        ("forest", RandomForestClassifier(100)),
        ("logistic", LogisticRegression(max_iter=1000)),
        ("bayes", GaussianNB()),
    ]
    return put_behind_columns(X, VotingClassifier(members, voting="soft"))


def run_job(data: str, rows: int, seed: int, students: list[str]) -> list[dict]:
    """Several students of one teacher, on one split."""
    X_train, X_test, y_train, y_test = split_data(data, seed, rows)
    records = []
    with TemporaryDirectory() as memory:
        for name in students:
            student = None
            if STUDENTS[name] is not None:
                student = put_behind_columns(X_train, STUDENTS[name](seed))
            distilled = DistilledClassifier(
                make_teacher(X_train), student, random_state=seed, memory=memory
            )
            distilled, seconds = fit_timed(distilled, X_train, y_train)
            hard = clone(distilled.student_ if student is None else student)
            hard, _ = fit_timed(hard, X_train, y_train)
            fitted = (hard, distilled, distilled.teacher_)
            record = {"data": data, "rows": rows, "student": name, "seed": seed}
            for key, model in zip(MODELS, fitted, strict=True):
                record[key] = score(model, X_test, y_test)
            record["learned"] = "teacher" if distilled.distilled_ else "true labels"
            record |= {"calibration": distilled.calibration_, "seconds": seconds}
            records.append(record)
    return records


def read(records: list[dict], model: str, metric: str) -> np.ndarray:
    """One figure of one model, a seed each."""
    return np.array([record[model][metric] for record in records])


def find_harm(records: list[dict], metric: str) -> tuple[float, float]:
    """How much worse than hard labels, in the mean, and its standard error."""
    difference = read(records, "distilled", metric) - read(records, "hard", metric)
    n, harm = len(records), METRICS[metric][0] * difference
    error = harm.std(ddof=1) / n**0.5 if n > 1 else float("nan")
    return float(harm.mean()), float(error)


def case_row(data: str, rows: int, records: list[dict]) -> list[str]:
    row = [data, str(rows), str(len(records))]
    for metric, (sign, least) in METRICS.items():
        row += [f"{read(records, model, metric).mean():.4f}" for model in MODELS]
        harm, error = find_harm(records, metric)
        worse = " worse" if harm > 2 * error and harm > least else ""
        row.append(f"{sign * harm:+.4f} ± {error:.4f}{worse}")
    direct = sum(record["learned"] == "true labels" for record in records)
    return [*row, str(direct)]


def summary_row(student: str, cases: dict[tuple, list[dict]]) -> list[str]:
    """Means over the tables, and how many are worse."""
    seeds = sorted({len(some) for some in cases.values()})
    row = [student, str(len(cases)), ", ".join(map(str, seeds))]
    for metric, (_, least) in METRICS.items():
        for model in MODELS:
            means = [read(some, model, metric).mean() for some in cases.values()]
            row.append(f"{np.mean(means):.4f}")
        harms = [find_harm(some, metric) for some in cases.values()]
        worse = sum(harm > 2 * error and harm > least for harm, error in harms)
        beyond = sum(harm > error for harm, error in harms)
        chance = sum(student_t.sf(1, len(some) - 1) for some in cases.values())
        row += [str(worse), f"{beyond} ({chance:.1f})"]
    return row


def print_report(records: list[dict]) -> None:
    records = sort_like(records, student=STUDENTS, data=SMALL, rows=SIZES)
    titles, summary = [], []
    for metric in ("log loss", "accuracy"):
        titles += [f"{metric}: hard", "distilled", "teacher", "distilled less hard"]
        summary += [f"{metric}: hard", "distilled", "teacher"]
        summary += ["worse", "beyond one error (chance)"]
    rows = []
    for (student,), some in group(records, "student").items():
        cases = group(some, "data", "rows")
        print_table(
            f"Student {student}: means over the seeds, difference ± standard error",
            ["data", "rows", "seeds", *titles, "true labels"],
            [case_row(*case, found) for case, found in cases.items()],
        )
        rows.append(summary_row(student, cases))
    header = ["student", "tables", "seeds", *summary]
    print_table("Means over the tables, and tables that are worse", header, rows)


def plan_jobs(args, results: Results, cases: list[tuple[str, int]]) -> list[dict]:
    """One job a seed and case, with the students that are missing."""
    jobs = []
    # By seeds: an unfinished run has seen every case.
    for seed, (data, rows) in product(args.seeds, cases):
        job = {"data": data, "rows": rows, "seed": seed}
        runs = [{**job, "student": student} for student in args.students]
        missing = [run["student"] for run in find_missing(results, runs, args)]
        if missing:
            jobs.append({**job, "students": missing})
    return jobs


def main() -> None:
    args = read_arguments(
        __doc__,
        students={"nargs": "+", "choices": STUDENTS, "default": list(STUDENTS)},
        data={"nargs": "+", "choices": SMALL, "default": list(SMALL)},
        seeds={"nargs": "+", "type": int, "default": list(range(10))},
        jobs={"type": int, "default": 1, "help": "processes"},
    )
    results = Results(None if args.smoke else FOLDER / "small.csv", KEYS)
    if args.smoke:
        args.seeds, args.students = [0, 1], ["logistic", "tree"]
        cases = [("iris", 100)]
    else:
        cases = list_cases(find_readable(args.data))
    make_runs(results, plan_jobs(args, results, cases), run_job, args.jobs)
    print_report(results.records)


if __name__ == "__main__":
    main()
