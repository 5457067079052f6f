"""What each family of students costs on soft targets, beside hard labels.

Students of equal settings on hard labels and on soft targets (at temperature 1), on
8,000 rows of letter (26 classes) and magic (2) that the teacher did not learn.

CPU time of one thread, as the median of the ratios of interleaved repeats, and what
the fit adds to the resident memory of a fresh process at its peak. Equal epochs and
rounds, and equal leaf sizes. Rows and targets (1.7 MB on 26 classes) are there before,
and count for neither.

The targets: at most 1.2 times the time of hard labels for networks and linear models,
1.5 times for trees and boosted trees on 2 classes; at most twice the memory on 26
classes. XGBoost, CatBoost and torch take part where they are installed.

    python -m benchmarks.students.cost            # ten minutes
    python -m benchmarks.students.cost --smoke
"""

from __future__ import annotations

import os
from functools import partial
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from .._measure import added_megabytes, run_fresh
from .._private import SoftDataset
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table, sort_like
from ._families import (
    CAT,
    EXTRA,
    FOREST,
    HIST,
    LIGHT,
    LOGISTIC,
    MLP,
    NAMES,
    NET,
    SGD,
    TREE,
    XGB,
)
from ._rows import (
    DATA,
    ROUTES,
    check_limit,
    label_rows,
    list_students,
    make_soft,
    make_student,
)

FOLDER = Path(__file__).parent
KEYS = ("data", "student")
N_ROWS, N_REPEATS = 8000, 7
#: With other labels L-BFGS converges after other epochs: here it makes as many.
SETTINGS = {LOGISTIC: {"max_iter": 15, "tol": 1e-12}, NET: {"max_epochs": 20}}
#: Time on soft targets over time on hard labels, by family and number of classes.
TIME_LIMITS = {(name, k): 1.2 for name in (MLP, LOGISTIC, SGD, NET) for k in (2, 26)}
TIME_LIMITS |= {(n, 2): 1.5 for n in (TREE, FOREST, EXTRA, HIST, LIGHT, XGB, CAT)}
MEMORY_LIMIT = 2.0
#: MB below which two peaks can't be told apart: less counts as this.
FLOOR = 1.0


def time_fits(student: Any, data: SoftDataset, repeats: int) -> dict:
    """Seconds of both routes, in alternating order; slow fits are repeated less."""
    seconds: dict[str, list[float]] = {"hard": [], "soft": []}
    epochs = {}
    ROUTES["soft"](student, take_few(data))  # loads what is loaded late
    for k in range(repeats):
        for route in list(ROUTES)[:: 1 - 2 * (k % 2)]:
            start = process_time()
            fitted = ROUTES[route](student, data)
            seconds[route].append(process_time() - start)
            epochs[route] = np.ravel(getattr(fitted, "n_iter_", [0])).max()
        if sum(map(sum, seconds.values())) > (6 if k >= 2 else 20):
            break
    if epochs["hard"] != epochs["soft"]:
        raise ValueError(f"Both routes must take equal epochs, received {epochs}.")
    ratios = np.divide(seconds["soft"], seconds["hard"])
    return {
        "seconds": {route: float(np.median(s)) for route, s in seconds.items()},
        "repeats": len(ratios),
        "ratio": float(np.median(ratios)),
        "ratio_sd": float(ratios.std(ddof=1)) if len(ratios) > 1 else 0.0,
    }


def take_few(data: SoftDataset) -> SoftDataset:
    n = 208 // len(data.classes)
    rows = [np.flatnonzero(data.y == k)[:n] for k in data.classes]
    return data.take(np.concatenate(rows))


def measure_memory(student: Any, data: SoftDataset, route: str) -> float:
    """MB that a fit adds at its peak, after a small one that loads the libraries."""
    ROUTES[route](student, take_few(data))
    return added_megabytes(partial(ROUTES[route], student, data))


def measure(data: str, student: str, smoke: bool) -> list[dict]:
    """Time and memory of one family."""
    labels = label_rows(data, 0, smoke)
    soft = make_soft(*labels["test"], labels["test rows"], N_ROWS)
    model = make_student(student, soft.X, len(soft.classes), 0, smoke)
    model.set_params(**SETTINGS.get(student, {}))
    record: dict[str, Any] = {"data": data, "student": student}
    record |= time_fits(model, soft, 1 if smoke else N_REPEATS)
    # A process takes seconds to start: a smoke test measures one family.
    if not smoke or (data, student) == ("magic", TREE):
        # Memory that is freed goes back at once: what a fit reuses would not show.
        os.environ["MALLOC_TRIM_THRESHOLD_"] = "0"
        os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
        record["MB"] = {
            route: run_fresh(measure_memory, model, soft, route) for route in ROUTES
        }
    return [record]


def make_row(record: dict) -> list[str]:
    name, n_classes, used = record["student"], DATA[record["data"]], record.get("MB")
    time = f"{record['ratio']:.2f} ± {record['ratio_sd']:.2f}"
    seconds = " / ".join(f"{record['seconds'][r]:.2f}" for r in ROUTES)
    megabytes, memory = "", "not measured"
    if used:
        megabytes = " / ".join(f"{used[r]:.1f}" for r in ROUTES)
        ratio = max(used["soft"], FLOOR) / max(used["hard"], FLOOR)
        limit = MEMORY_LIMIT if n_classes == DATA["letter"] else None
        memory = check_limit(ratio, limit, f"{ratio:.2f}")
    time = check_limit(record["ratio"], TIME_LIMITS.get((name, n_classes)), time)
    return [record["data"], name, seconds, time, megabytes, memory]


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "cost.csv", KEYS)
    pairs = product(DATA, list_students(args.smoke))
    runs = [{"data": data, "student": student} for data, student in pairs]
    make_runs(results, find_missing(results, runs, args), measure, smoke=args.smoke)
    records = sort_like(results.records, data=DATA, student=NAMES)
    print_table(
        f"Cost on {N_ROWS} rows, hard / soft labels, at most {N_REPEATS} repeats",
        ["data", "student", "CPU seconds", "time ratio", "peak MB", "memory ratio"],
        [make_row(record) for record in records],
    )


if __name__ == "__main__":
    main()
