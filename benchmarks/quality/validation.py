"""Validation rows: a frozen teacher judged by them, beside one that is refitted.

Both teachers are the vote of `quality.py`, fitted on the same 80% of 4,000 rows. The
frozen one is given the other 20% as `X_val`; the live one sets a fifth of its own rows
aside and is fitted a second time without it. The student is an MLP of 64 and 32 units,
or LightGBM of 50 trees. Compared are the log loss on test rows, and the CPU seconds of
`fit`, without the frozen teacher's own fit.

    python -m benchmarks.quality.validation          # 5 seeds, an hour
    python -m benchmarks.quality.validation --smoke
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skdistill import DistilledClassifier

from .._data import find_readable
from .._measure import score
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table
from . import _models
from ._group import fit_timed

FOLDER = Path(__file__).parent
KEYS = ("data", "student", "seed")
DATA = ("magic", "satimage", "letter", "adult", "spambase", "car")
STUDENTS = ("mlp", "lightgbm")
ARMS = ("frozen", "refitted")


def fit_arms(data: str, student: str, seed: int, rows: int, size) -> list[dict]:
    """One seed: the same student of the frozen teacher, and of the live one."""
    split, validation = _models.hold_out_fifth(data, seed, rows, size)
    X_test, y_test = split.X_test, split.y_test
    vote = _models.make_seeded_vote(split)
    fitted, seconds = fit_timed(clone(vote), split.X_train, split.y_train)
    record = {"data": data, "student": student, "seed": seed}
    record |= {"teacher": score(fitted, X_test, y_test) | {"seconds": seconds}}
    given = ((FrozenEstimator(fitted), validation), (vote, {}))
    for arm, (teacher, fit) in zip(ARMS, given, strict=True):
        model = DistilledClassifier(
            teacher, _models.make_student(student, split), random_state=seed
        )
        model, seconds = fit_timed(model, split.X_train, split.y_train, **fit)
        record[arm] = score(model, X_test, y_test) | {"seconds": seconds}
    return [record]


def read(records: list[dict], arm: str, figure: str) -> np.ndarray:
    return np.array([record[arm][figure] for record in records])


def print_report(records: list[dict]) -> None:
    rows = []
    for (data, student), some in group(records, "data", "student").items():
        losses = {arm: read(some, arm, "log_loss") for arm in ("teacher", *ARMS)}
        difference = losses["frozen"] - losses["refitted"]
        error = difference.std(ddof=1) / len(some) ** 0.5 if len(some) > 1 else 0.0
        seconds = [read(some, arm, "seconds").sum() for arm in ARMS]
        rows.append(
            [
                data,
                student,
                *(f"{losses[arm].mean():.4f}" for arm in ("teacher", *ARMS)),
                f"{difference.mean():+.4f} ± {error:.4f}",
                f"{losses['frozen'].sum() / losses['refitted'].sum():.3f}",
                f"{seconds[0] / seconds[1]:.0%}",
                str(len(some)),
            ]
        )
    header = ["data", "student", "log loss: teacher", "frozen, X_val", "refitted"]
    header += ["difference", "ratio", "CPU seconds", "seeds"]
    print_table("A frozen teacher with validation rows", header, rows)


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 1})
    names, students, seeds, settings = (
        (["iris"], ["mlp"], range(2), {"rows": 100, "size": _models.SMOKE})
        if args.smoke
        else (DATA, STUDENTS, range(5), {"rows": 4000, "size": _models.Size()})
    )
    results = Results(None if args.smoke else FOLDER / "validation.csv", KEYS)
    if not args.report:
        names = find_readable(names)
    # By seeds: an unfinished run has seen every case.
    order = [
        (data, student, seed) for seed, data, student in product(seeds, names, students)
    ]
    runs = [dict(zip(KEYS, run, strict=True)) for run in order]
    make_runs(
        results, find_missing(results, runs, args), fit_arms, args.jobs, **settings
    )
    print_report(results.records)


if __name__ == "__main__":
    main()
