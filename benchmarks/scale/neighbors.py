"""The search for MUNGE's neighbours beside scikit-learn's exact one by brute force.

Eight neighbours of each of 100,000 rows of 20 independent normal numbers: CPU seconds
of one thread, and how much further away than the nearest the rows lie that are found,
on average over 1,000 of them. scikit-learn's search in trees takes far longer in so
many columns, and is left out.

    python -m benchmarks.scale.neighbors
    python -m benchmarks.scale.neighbors --smoke
"""

from __future__ import annotations

from pathlib import Path
from time import process_time

import numpy as np
from sklearn.neighbors import NearestNeighbors

from .._private import find_neighborhoods
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table

FOLDER = Path(__file__).parent
KEYS = ("rows", "seed")
N_COLUMNS, N_NEIGHBORS, N_COMPARED = 20, 8, 1000
SIZES, SMOKE_SIZES, N_SEEDS = (10_000, 100_000), (5_000,), 1


def compare_searches(rows: int, seed: int) -> list[dict]:
    """CPU seconds of both searches, and the distances of what is found."""
    X = np.random.default_rng(seed).standard_normal((rows, N_COLUMNS))
    start = process_time()
    # No rows are equal, and none has categories. Of one neighbour that is asked for,
    # seven more are kept.
    codes = np.empty((rows, 0))
    near = find_neighborhoods(np.arange(rows), X, codes, N_NEIGHBORS - 7).near
    own = process_time() - start
    start = process_time()
    search = NearestNeighbors(n_neighbors=N_NEIGHBORS, algorithm="brute").fit(X)
    exact = search.kneighbors(return_distance=False)
    seconds = {"own": own, "scikit-learn": process_time() - start}
    found, nearest = (
        np.linalg.norm(X[:N_COMPARED, None] - X[at[:N_COMPARED]], axis=2)
        for at in (near, exact)
    )
    further = found.mean(axis=0) / nearest.mean(axis=0) - 1
    return [
        {
            **{"rows": rows, "seed": seed, "seconds": seconds},
            "further": {"first": further[0], "last": further[-1]},
        }
    ]


def print_report(records: list[dict]) -> None:
    lines = []
    for record in records:
        seconds, further = record["seconds"], record["further"]
        own, exact = seconds["own"], seconds["scikit-learn"]
        cells = [f"{record['rows']:,}", f"{own:.2f}", f"{exact:.2f}"]
        cells += [f"{exact / own:.1f}"]
        lines.append([*cells, *(f"{100 * share:.1f}%" for share in further.values())])
    names = ["rows", "own, CPU s", "scikit-learn, CPU s", "times as long"]
    names += ["nearest further by", f"{N_NEIGHBORS}th further by"]
    title = f"Search for {N_NEIGHBORS} neighbours among rows of {N_COLUMNS} numbers"
    print_table(title, names, lines)


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "neighbors.csv", KEYS)
    runs = [
        {"rows": n_rows, "seed": seed}
        for n_rows in (SMOKE_SIZES if args.smoke else SIZES)
        for seed in range(N_SEEDS)
    ]
    make_runs(results, find_missing(results, runs, args), compare_searches)
    print_report(results.records)


if __name__ == "__main__":
    main()
