"""What the package's defaults keep of a teacher, on thirteen public data sets.

`DistilledClassifier(teacher, student)` with nothing else set, against the same
student trained on the labels. Training rows are capped (`--rows`); five seeds of
split, teacher and student.

- Data: the sets on which the defaults were chosen; `others.py` has those that judge the
  choice.
- Teachers: "vote" is a soft vote of LightGBM, a random forest, extra trees and a
  network; "networks" a soft vote of twelve networks; "boosted" one LightGBM, its
  settings chosen on the training rows by a random search (6 draws, 3 folds; its time
  is not counted anywhere).
- Students: "mlp" 64-32 behind scaling, "lightgbm" 50 trees of 15 leaves, "tree" of
  depth 6, "logistic", and "default" (student=None).
- Baselines: hard labels, with the student as it is; networks also stopped early, for
  as many updates as the distilled one made, and at the falling learning rate of the
  distilled one for as many epochs as validation rows choose. "hard" is the best of them
  on a data set, by the mean of the metric in question. For "mlp" also: label smoothing
  (.9 for the true class), and synthetic rows labelled with the teacher's argmax,
  learned for as many updates (at least 20,000) or stopped early. A tree on hard labels
  serves probabilities of 0, whose log loss is what a floor of 2e-16 makes of it.
- "calibrated" is the teacher with the scalar of the fitted object (`calibration_`,
  from out-of-fold rows) on its clipped probabilities: p^(1/t), normalised.
- The share of the advantage is a ratio of sums over the data sets where the teacher
  beats "hard" by more than a standard error over the seeds, and by more than .002 in
  log loss or .003 in accuracy, with a bootstrap interval over those sets. Wins and
  losses are by more than a standard error of the paired difference, over all sets.
- Times are CPU seconds of one thread. A student's fit is timed on an empty cache
  (whose writing counts) if it is the first of its group; for the others the time
  spent on teachers is reported apart. The time ratio, of the first only, is the whole
  fit over that of the teacher plus the student on hard labels, a network at equal
  updates.
- The default student is also served by ONNX Runtime, one row at a time on one thread:
  the median of 1,900 calls, and the file's bytes.

`quality.png` needs matplotlib.

    python -m benchmarks.quality.quality                                  # hours
    python -m benchmarks.quality.quality --teachers vote --data magic --students mlp
    python -m benchmarks.quality.quality --smoke
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from .._data import DATA, find_readable, split_table
from .._other_data import OTHERS
from .._results import Results, find_missing, make_runs, read_arguments
from ._group import run_group
from ._models import SMOKE, STUDENTS, TEACHERS, Size, Split
from ._plot import draw_plot
from ._report import print_changes, print_report

FOLDER = Path(__file__).parent
KEYS = ("teacher", "data", "student", "seed", "rows")


def draw_split(seed: int, rows: int):
    """Two classes and twelve columns, where a smoke test has no network."""
    X, y = make_classification(3 * rows // 2, 12, n_informative=6, random_state=seed)
    return train_test_split(X, y, train_size=rows, stratify=y, random_state=seed)


def run_job(
    teacher: str, data: str, seed: int, rows: int, students: list[str], size: Size
) -> list[dict]:
    """One process's job: the records of several students of one teacher."""
    if data == "drawn":
        parts = draw_split(seed, rows)
    else:
        parts = split_table(*(DATA | OTHERS)[data](), seed, rows)
    split = Split(data, seed, *parts, size)
    run = {"teacher": teacher, "data": data, "seed": seed, "rows": rows}
    records = run_group(teacher, split, students)
    return [{**run, "student": name, **records[name]} for name in students]


def plan_jobs(args, results: Results, data: list[str]) -> list[dict]:
    """One job a teacher, data set and seed, with the students that are missing."""
    students = [name for name in STUDENTS if name in args.students]
    jobs = []
    # By seeds: an unfinished run has seen every data set.
    for teacher, seed, name in product(args.teachers, args.seeds, data):
        job = {"teacher": teacher, "data": name, "seed": seed, "rows": args.rows}
        runs = [{**job, "student": student} for student in students]
        missing = [run["student"] for run in find_missing(results, runs, args)]
        if missing:
            jobs.append({**job, "students": missing})
    return jobs


def run_smoke() -> None:
    """One small group of everything, without a network."""
    os.environ["PIP_NO_INDEX"] = "1"
    data = next(iter(find_readable(["magic"])), "drawn")
    results = Results(None, KEYS)
    jobs = [
        {"teacher": teacher, "data": data, "seed": 0, "rows": 600, "students": students}
        for teacher in TEACHERS
        for students in [list(STUDENTS) if teacher == "vote" else ["mlp", "tree"]]
    ]
    make_runs(results, jobs, run_job, size=SMOKE)
    print_report(results.records, n_resamples=100)


def read_options(description: str, tables: dict):
    """The options of a benchmark of these tables."""
    return read_arguments(
        description,
        teachers={"nargs": "+", "choices": TEACHERS, "default": TEACHERS},
        students={"nargs": "+", "choices": STUDENTS, "default": STUDENTS},
        data={"nargs": "+", "choices": list(tables), "default": list(tables)},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 4000, "help": "most training rows"},
        jobs={"type": int, "default": 2, "help": "processes"},
    )


def run_tables(args, tables: dict, path: Path) -> tuple[list[dict], bool]:
    """Make the runs that are missing, print, and return the records and if any ran."""
    results = Results(path, KEYS)
    jobs = plan_jobs(args, results, args.data)
    # Data are fetched here, before processes would race for them.
    readable = find_readable({job["data"] for job in jobs}, tables)
    jobs = [job for job in jobs if job["data"] in readable]
    changed = make_runs(results, jobs, run_job, args.jobs, size=Size())
    records = [record for record in results.records if record["rows"] == args.rows]
    print_report(records)
    return records, changed


def main() -> None:
    args = read_options(__doc__, DATA)
    if args.smoke:
        run_smoke()
        return
    records, changed = run_tables(args, DATA, FOLDER / "quality.csv")
    # Of networks without a learner of their own, and of short pilots.
    before = Results(FOLDER / "quality_before.csv", KEYS)
    print_changes(records, before.records, KEYS)
    picture = FOLDER / "quality.png"
    if changed or not picture.exists():
        draw_plot(records, picture)


if __name__ == "__main__":
    main()
