"""CPU seconds of a fit, and what the fast settings save and lose.

The vote of `quality.py` teaches; training rows are capped at 4,000, one thread.

- "default" has nothing but teacher and student set; "without teachers" is the same fit
  without the time inside of what `memory` keeps: a second fit with the same teacher,
  rows and seed takes so long.
- "near" is `pilot=0, augmenter=Munge()`, "far" `pilot=0, augmenter=Spunge(p=0.5)`;
  "near, uncalibrated" has `calibrate=False` as well: no second teacher is fitted.
- "teacher" is one fit on all rows, as the sum over its members; "on 80%" the fit on the
  rows that are left where a fifth is set aside.
- The ratio is the default fit over that of the teacher and of the same student on hard
  labels at equal updates: by scikit-learn's learner (of the network 64-32 alone), and
  by the package's.

    python -m benchmarks.quality.fit_cost            # an hour
    python -m benchmarks.quality.fit_cost --smoke
"""

from __future__ import annotations

import warnings
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skdistill import DistilledClassifier
from skdistill.transfer import Munge, Spunge

from .._data import find_readable, split_data
from .._measure import fit_for_epochs, last_step, score
from .._private import SoftDataset, fit_student
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, sort_like
from . import _models
from ._group import TimedMemory, fit_timed

FOLDER = Path(__file__).parent
KEYS = ("data", "student", "seed")
DATA = ("adult", "magic", "spambase", "satimage", "letter")
STUDENTS = ("mlp", "default")
NEAR = {"pilot": 0, "augmenter": Munge()}
ARMS: dict[str, dict[str, Any]] = {
    "default": {},
    "near": NEAR,
    "far": {"pilot": 0, "augmenter": Spunge(p=0.5)},
    "near, uncalibrated": {**NEAR, "calibrate": False},
}
#: Those that run no pilots.
FAST = tuple(arm for arm in ARMS if arm != "default")


def time_members(vote, X, y) -> dict[str, float]:
    """CPU seconds of each member of a vote, and of the preprocessing before it."""
    members = last_step(vote)
    seconds = {}
    if members is not vote:
        columns, seconds["columns"] = fit_timed(clone(vote[:-1]), X, y)
        X = columns.transform(X)
    for name, member in members.estimators:
        seconds[name] = fit_timed(clone(member), X, y)[1]
    return seconds


def time_hard(fitted, split: _models.Split, *, stock: bool) -> dict[str, float]:
    """CPU seconds of the fitted student on hard labels at equal updates."""
    X, y = split.X_train, split.y_train
    network = last_step(fitted)
    n_updates = _models.count_updates(network)
    n_epochs = _models.count_epochs(n_updates, len(y), network)
    student, targets = clone(fitted), np.eye(len(split.classes))[split.codes]
    last_step(student).set_params(
        early_stopping=False, max_iter=n_epochs, tol=0.0, n_iter_no_change=n_epochs
    )
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit_student(student, SoftDataset(X, targets, split.classes, y))
    seconds = {"ours": process_time() - start}
    if stock:
        start = process_time()
        fit_for_epochs(fitted, n_epochs, X, y)
        seconds["scikit-learn"] = process_time() - start
    return seconds


def fit_arms(data: str, student: str, seed: int, rows: int, size) -> list[dict]:
    """One seed: the student with each of the settings."""
    parts = split_data(data, seed, rows)
    split = _models.Split(data, seed, *parts, size)
    X, y = split.X_train, split.y_train
    vote = _models.make_seeded_vote(split)
    record: dict[str, Any] = {"data": data, "student": student, "seed": seed}
    record["members"] = time_members(vote, X, y)
    part, _ = _models.hold_out_fifth(data, seed, rows, size)
    record["on 80%"] = fit_timed(clone(vote), part.X_train, part.y_train)[1]
    for arm, settings in ARMS.items():
        with TemporaryDirectory() as folder:
            memory = TimedMemory(folder)
            model = DistilledClassifier(
                vote,
                _models.make_student(student, split),
                random_state=seed,
                memory=memory if arm == "default" else None,
                **settings,
            )
            model, seconds = fit_timed(model, X, y)
        record[arm] = score(model, split.X_test, split.y_test) | {"seconds": seconds}
        if arm == "default":
            record[arm]["without teachers"] = seconds - memory.seconds
            own = model.student_
    record["hard"] = time_hard(own, split, stock=student == "mlp")
    return [record]


def show_ratio(records: list[dict], learner: str) -> str:
    """The default fit over teacher and hard labels, in the mean over the seeds."""
    ratios = [
        r["default"]["seconds"] / (sum(r["members"].values()) + r["hard"][learner])
        for r in records
        if learner in r["hard"]
    ]
    return f"{np.mean(ratios):.1f}" if ratios else ""


def print_report(records: list[dict]) -> None:
    costs, losses = [], []
    records = sort_like(records, student=STUDENTS)
    for (student, data), some in group(records, "student", "data").items():
        teacher = np.mean([sum(r["members"].values()) for r in some])
        figures = [teacher, np.mean([r["on 80%"] for r in some])]
        figures.append(np.mean([r["default"]["seconds"] for r in some]))
        figures.append(np.mean([r["default"]["without teachers"] for r in some]))
        figures += [np.mean([r[arm]["seconds"] for r in some]) for arm in FAST]
        ratios = [show_ratio(some, way) for way in ("scikit-learn", "ours")]
        shown = [f"{value:.1f}" for value in figures]
        costs.append([student, data, len(some), *shown, *ratios])
        means = {a: np.mean([r[a]["log_loss"] for r in some]) for a in ARMS}
        losses.append([student, data, len(some), *(f"{x:.4f}" for x in means.values())])
    header = ["student", "data", "seeds", "teacher", "on 80%", "default"]
    header += ["without teachers", *FAST, "ratio, scikit-learn", "ratio, our learner"]
    print_table("CPU seconds of a fit", header, costs)
    header = ["student", "data", "seeds", *ARMS]
    print_table("Log loss with fast settings", header, losses)
    rows = []
    for (data,), some in group(records, "data").items():
        names = some[0]["members"]
        means = [np.mean([r["members"][n] for r in some]) for n in names]
        share = np.array(means) / sum(means)
        shares = (f"{n} {x:.0%}" for n, x in zip(names, share, strict=True))
        rows.append([data, f"{sum(means):.1f}", ", ".join(shares)])
    print_table("Members of the teacher", ["data", "CPU seconds", "shares"], rows)


def main() -> None:
    args = read_arguments(
        __doc__,
        data={"nargs": "+", "choices": list(DATA), "default": list(DATA)},
        seeds={"nargs": "+", "type": int, "default": list(range(2))},
        jobs={"type": int, "default": 1, "help": "processes"},
    )
    names, students, seeds, settings = (
        (["iris"], ["mlp"], [0], {"rows": 100, "size": _models.SMOKE})
        if args.smoke
        else (args.data, STUDENTS, args.seeds, {"rows": 4000, "size": _models.Size()})
    )
    results = Results(None if args.smoke else FOLDER / "fit_cost.csv", KEYS)
    if not args.report:
        names = find_readable(names)
    # By seeds: an unfinished run has seen every case.
    order = [
        (data, student, seed) for seed, data, student in product(seeds, names, students)
    ]
    runs = [dict(zip(KEYS, run, strict=True)) for run in order]
    missing = find_missing(results, runs, args)
    make_runs(results, missing, fit_arms, args.jobs, **settings)
    print_report(results.records)


if __name__ == "__main__":
    main()
