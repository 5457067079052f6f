"""Seconds in which workers label a table: one, two of loky, two of Dask.

A forest of 300 trees labels 400,000 rows with one and two workers of joblib's loky,
and with two of Dask, where that is installed. Wall-clock seconds, fastest of three.
Dask's nanny has its workers give memory back at every turn
(`MALLOC_TRIM_THRESHOLD_`), and a forest makes an array a tree: Dask is measured as it
comes, and with workers that keep up to 128 MB, for which the target is.

The targets: two workers at least 1.6 times one; Dask at most 1.15 times the seconds of
loky.

    python -m benchmarks.scale.workers
    python -m benchmarks.scale.workers --smoke
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

from joblib import parallel_config

from .._private import label_rows
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table, sort_like
from ._rows import check_limit, fit_teacher, load_rows, repeat_rows

FOLDER = Path(__file__).parent
KEYS = ("workers",)
N_ROWS, SMOKE_ROWS = 400_000, 5_000
SPEED_UP_LIMIT, DASK_LIMIT = 1.6, 1.15
ONE, LOKY, DASK, KEEPING = "one", "loky", "dask", "dask, memory kept"
#: Environment of workers that keep what memory they were given, as any process does
#: for which nobody has set the first of these.
KEEP_MEMORY = dict.fromkeys(
    ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**27)
)


@contextmanager
def start_dask(environment: dict[str, str]) -> Iterator[None]:
    from distributed import Client, LocalCluster

    with (
        patch.dict(os.environ, environment),
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as two,
        Client(two),
        parallel_config(backend="dask"),
    ):
        yield


def start(workers: str):
    """A context in which these workers do joblib's tasks."""
    if workers == ONE:
        return nullcontext()
    if workers == LOKY:
        return parallel_config(backend="loky")
    return start_dask(KEEP_MEMORY if workers == KEEPING else {})


def measure(workers: str, smoke: bool) -> list[dict]:
    X, y = load_rows(smoke)
    teacher = fit_teacher(X, y, n_trees=5 if smoke else 300)
    n_rows, repeats = (SMOKE_ROWS, 1) if smoke else (N_ROWS, 3)
    table = repeat_rows(X, n_rows)
    n_jobs, times = 1 if workers == ONE else 2, []
    with start(workers):
        label_rows(teacher, table, n_jobs)  # starts the workers
        for _ in range(repeats):
            begun = perf_counter()
            label_rows(teacher, table, n_jobs)
            times.append(perf_counter() - begun)
    return [{"workers": workers, "rows": n_rows, "seconds": min(times)}]


def print_report(records: list[dict]) -> None:
    names = (ONE, LOKY, DASK, KEEPING)
    seconds = {r["workers"]: r["seconds"] for r in sort_like(records, workers=names)}
    n_rows = records[0]["rows"]
    print_table(
        f"Labelling {n_rows:,} rows, wall-clock seconds, two workers or one",
        list(seconds),
        [[f"{s:.2f}" for s in seconds.values()]],
    )
    speed_up = seconds[ONE] / seconds[LOKY]
    print("\n" + check_limit("speed-up", speed_up, SPEED_UP_LIMIT, least=True))
    if KEEPING in seconds:
        ratio = seconds[KEEPING] / seconds[LOKY]
        print(check_limit("Dask / loky", ratio, DASK_LIMIT))


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "workers.csv", KEYS)
    names = [ONE, LOKY]
    if find_spec("distributed") is None:
        print("Dask is not installed, and takes no part.")
    else:
        names += [DASK, KEEPING]
    runs = [{"workers": name} for name in names]
    make_runs(results, find_missing(results, runs, args), measure, smoke=args.smoke)
    print_report(results.records)


if __name__ == "__main__":
    main()
