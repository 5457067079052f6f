"""What each family of students learns from hard and from soft labels.

Held-out log loss and accuracy on letter (26 classes) and magic (2) after hard labels,
in-sample and out-of-fold (3 folds) labels of the teacher on 4,000 training rows, over
five seeds of split, teacher and student. Nothing is calibrated or synthetic here.

    python -m benchmarks.students.quality            # minutes
    python -m benchmarks.students.quality --smoke
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

from .._measure import score
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, sort_like, spread
from ._families import NAMES
from ._rows import (
    DATA,
    N_TRAIN,
    fit_hard,
    fit_soft,
    label_rows,
    list_students,
    make_soft,
    make_student,
)

FOLDER = Path(__file__).parent
KEYS = ("data", "student", "seed")
TEACHER = "the teacher"
LABELS = ("hard", "in-sample", "out-of-fold")
METRICS = ("log_loss", "accuracy")


def compare_labels(data: str, student: str, seed: int, smoke: bool) -> list[dict]:
    """One family on every kind of label of one split; the teacher for comparison."""
    labels = label_rows(data, seed, smoke)
    record = {"data": data, "student": student, "seed": seed}
    if student == TEACHER:
        return [{**record, "hard": labels["teacher"]}]
    X, y = labels["train"]
    model = make_student(student, X, DATA[data], seed, smoke)
    for kind in LABELS:
        soft = make_soft(X, y, labels.get(kind, labels["in-sample"]))
        fit = fit_hard if kind == "hard" else fit_soft
        record[kind] = score(fit(model, soft), *labels["test"])
    return [record]


def make_row(data: str, student: str, records: list[dict]) -> list[str]:
    """Means and spreads over the seeds."""
    row = [data, student]
    for metric, kind in product(METRICS, LABELS):
        values = [record[kind][metric] for record in records if kind in record]
        row.append(show(spread(values)) if values else "")
    return row


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 2})
    results = Results(None if args.smoke else FOLDER / "quality.csv", KEYS)
    students = [TEACHER, *list_students(args.smoke)]
    # Rows are labelled once, with the teacher's record, before processes race for them.
    for some in ([TEACHER], students):
        triples = product(DATA, some, range(1 if args.smoke else 5))
        runs = [dict(zip(KEYS, triple, strict=True)) for triple in triples]
        missing = find_missing(results, runs, args)
        n_jobs = 1 if args.smoke else args.jobs
        make_runs(results, missing, compare_labels, n_jobs, smoke=args.smoke)
    records = sort_like(results.records, data=DATA, student=(TEACHER, *NAMES))
    n_seeds = len(group(records, "seed"))
    pairs = product(METRICS, LABELS)
    header = [f"{metric.replace('_', ' ')}, {kind}" for metric, kind in pairs]
    print_table(
        f"Held-out rows, {N_TRAIN} training rows, {n_seeds} seeds, mean ± deviation",
        ["data", "student", *header],
        [
            make_row(*key, some)
            for key, some in group(records, "data", "student").items()
        ],
    )


if __name__ == "__main__":
    main()
