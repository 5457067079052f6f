"""Small tables: the package's defaults against hard labels, below 500 rows.

Nine public tables cut to 100, 200 and 400 training rows where they have as many (two
thirds of a table at most), ten seeds of split, teacher and student.

- The teacher is a soft vote of a random forest, logistic regression and naive Bayes:
  accurate on some of the tables, worse than the student alone on others.
- Students: networks of 64 and 32 units and of 16, logistic regression, a tree of depth
  4, LightGBM of 50 trees with 15 leaves, and the package's own. Numbers are scaled in
  front of them, text becomes indicators.
- *Hard* trains the same student on the true labels as it is set. *Chosen* trains it for
  as long as a fifth of the training rows chooses, and then on all of them: a network
  between early stopping and as many updates as a transfer set takes, LightGBM for as
  many rounds. Other students have no length.
- Distilled is worse than either on a table where the paired difference over the seeds
  is beyond two standard errors and beyond .002 in log loss (.003 in accuracy). Tables
  beyond one standard error are counted beside the number that chance gives where there
  is no difference. A tree on hard labels serves probabilities of 0, whose log loss is
  what a floor of 2e-16 makes of it.

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
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

from .. import _private
from .._data import SMALL, find_readable, split_data
from .._measure import last_step, score
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
#: Those whose length of training a fifth of the rows chooses.
WITH_LENGTHS = ("mlp-64-32", "mlp-16", "lightgbm", "default")
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


def run_job(data: str, rows: int, seed: int, students: dict[str, bool]) -> list[dict]:
    """Several students of one teacher, on one split; whether each is distilled anew."""
    split = split_data(data, seed, rows)
    with TemporaryDirectory() as memory:
        return [
            {"data": data, "rows": rows, "student": name, "seed": seed}
            | (fit_all(name, seed, split, memory) if anew else {})
            | {"chosen": fit_chosen(name, seed, split)}
            for name, anew in students.items()
        ]


def fit_all(name: str, seed: int, split: tuple, memory: str) -> dict:
    """Distil the student, and fit it as it is set."""
    X_train, X_test, y_train, y_test = split
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
    scores = (score(model, X_test, y_test) for model in fitted)
    record = dict(zip(MODELS, scores, strict=True))
    record["learned"] = "teacher" if distilled.distilled_ else "true labels"
    return record | {"calibration": distilled.calibration_, "seconds": seconds}


def fit_chosen(name: str, seed: int, split: tuple) -> dict[str, float] | None:
    """The figures of the true labels, learned for as long as a fifth of them chooses.

    None where a student has no length. The package's own network has another seed here
    than where it is distilled.
    """
    X_train, X_test, y_train, y_test = split
    if name not in WITH_LENGTHS:
        return None
    if STUDENTS[name] is None:
        student = _private.default_student(X_train, len(y_train), stops=False)
        last_step(student).set_params(random_state=seed)
    else:
        student = put_behind_columns(X_train, STUDENTS[name](seed))
    fit = choose_rounds if name == "lightgbm" else choose_epochs
    return score(fit(student, X_train, y_train, seed), X_test, y_test)


def choose_epochs(student, X, y, seed: int):
    """A network, at most for as many updates as over a transfer set."""
    classes, codes = np.unique(y, return_inverse=True)
    targets = np.eye(len(classes))[codes]
    data = _private.SoftDataset(X, targets, classes, y)
    split = train_test_split(
        np.arange(len(y)), test_size=0.2, stratify=y, random_state=seed
    )
    train, held_out = map(data.take, split)
    ratio = _private.choose_ratio(_private.MANY_LABELS, len(classes))
    n_rows = len(y) + _private.count_rows(len(y), ratio)
    n_epochs = _private.count_final_epochs(student, n_rows)
    n_updates = _private.count_updates(last_step(student), n_epochs, n_rows)
    return _private.fit_chosen_length(
        student, train, None, held_out, n_updates, learns_all=True
    )


def choose_rounds(student, X, y, seed: int):
    """Boosted trees, at most for as many rounds as are set."""
    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed
    )
    tried, _ = fit_timed(clone(student), X_train, y_train)
    most = last_step(student).n_estimators
    losses = [
        log_loss(
            y_val, tried.predict_proba(X_val, num_iteration=n), labels=tried.classes_
        )
        for n in range(1, most + 1)
    ]
    last_step(student).set_params(n_estimators=1 + int(np.argmin(losses)))
    return fit_timed(student, X, y)[0]


def read(records: list[dict], model: str, metric: str) -> np.ndarray:
    """One figure of one model, a seed each."""
    return np.array([record[model][metric] for record in records])


def find_harm(records: list[dict], metric: str, hard: str) -> tuple[float, float]:
    """How much worse than hard labels, in the mean, and its standard error."""
    difference = read(records, "distilled", metric) - read(records, hard, metric)
    n, harm = len(records), METRICS[metric][0] * difference
    error = harm.std(ddof=1) / n**0.5 if n > 1 else float("nan")
    return float(harm.mean()), float(error)


def is_worse(records: list[dict], metric: str, hard: str) -> bool:
    harm, error = find_harm(records, metric, hard)
    return harm > 2 * error and harm > METRICS[metric][1]


def case_row(data: str, rows: int, records: list[dict], ways: list[str]) -> list[str]:
    row = [data, str(rows), str(len(records))]
    for metric, (sign, _) in METRICS.items():
        models = [*ways, "distilled", "teacher"]
        row += [f"{read(records, model, metric).mean():.4f}" for model in models]
        for way in ways:
            harm, error = find_harm(records, metric, way)
            worse = " worse" * is_worse(records, metric, way)
            row.append(f"{sign * harm:+.4f} ± {error:.4f}{worse}")
    direct = sum(record["learned"] == "true labels" for record in records)
    return [*row, str(direct)]


def summary_rows(student: str, cases: dict[tuple, list[dict]], ways: list[str]):
    """For each metric: means over the tables, and how many are worse."""
    for metric in METRICS:
        row = [student, metric.replace("_", " ")]
        for model in ("hard", "chosen", "distilled", "teacher"):
            if model == "chosen" and model not in ways:
                row.append("")
                continue
            means = [read(some, model, metric).mean() for some in cases.values()]
            row.append(f"{np.mean(means):.4f}")
        for way in ("hard", "chosen"):
            if way not in ways:
                row += ["", ""]
                continue
            worse = sum(is_worse(some, metric, way) for some in cases.values())
            harms = [find_harm(some, metric, way) for some in cases.values()]
            beyond = sum(harm > error for harm, error in harms)
            chance = sum(student_t.sf(1, len(some) - 1) for some in cases.values())
            row += [f"{worse} of {len(cases)}", f"{beyond} ({chance:.1f})"]
        yield row


def print_report(records: list[dict]) -> None:
    records = sort_like(records, student=STUDENTS, data=SMALL, rows=SIZES)
    summary = []
    for (student,), some in group(records, "student").items():
        # Runs of other versions may lack a way.
        ways = [w for w in ("hard", "chosen") if all(w in record for record in some)]
        titles = []
        for metric in ("log loss", "accuracy"):
            titles += [f"{metric}: {ways[0]}", *ways[1:], "distilled", "teacher"]
            titles += [f"distilled less {way}" for way in ways]
        cases = group(some, "data", "rows")
        print_table(
            f"Student {student}: means over the seeds, difference ± standard error",
            ["data", "rows", "seeds", *titles, "true labels"],
            [case_row(*case, found, ways) for case, found in cases.items()],
        )
        summary += summary_rows(student, cases, ways)
    header = ["student", "figure", "hard", "chosen", "distilled", "teacher"]
    for way in ("hard", "chosen"):
        header += [f"worse than {way}", "beyond one error (chance)"]
    print_table("Means over the tables, and tables that are worse", header, summary)


def plan_jobs(args, results: Results, cases: list[tuple[str, int]]) -> list[dict]:
    """One job a seed and case, with the students that are missing, or lack a way."""
    known = {tuple(r[key] for key in KEYS): r for r in results.records}
    jobs = []
    # By seeds: an unfinished run has seen every case.
    for seed, (data, rows) in product(args.seeds, cases):
        job, students = {"data": data, "rows": rows, "seed": seed}, {}
        for name in args.students:
            run = {**job, "student": name}
            record = known.get(tuple(run[key] for key in KEYS), {})
            anew = bool(find_missing(results, [run], args))
            lacks = name in WITH_LENGTHS and "chosen" not in record
            if anew or (lacks and not args.report):
                students[name] = anew
        if students:
            jobs.append({**job, "students": students})
    return jobs


def make_missing(results: Results, jobs: list[dict], n_jobs: int) -> None:
    """Make the runs; those that only lack a way keep their other figures."""
    known = {tuple(r[key] for key in KEYS): r for r in results.records}

    def run(**job) -> list[dict]:
        records = run_job(**job)
        return [known.get(tuple(r[key] for key in KEYS), {}) | r for r in records]

    make_runs(results, jobs, run, n_jobs)


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
    make_missing(results, plan_jobs(args, results, cases), args.jobs)
    print_report(results.records)


if __name__ == "__main__":
    main()
