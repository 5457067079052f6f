"""Whether a student learned by chunks equals one that learned the whole.

Log loss on held-out rows of magic and letter, learned whole and by chunks, with buffers
of 4,096 rows, so that there are many; and what it costs to seek neighbours within 2,000
rows, and not within the 32,768 or more that MUNGE is given. The target: chunks within
0.005 of the whole.

    python -m benchmarks.scale.match
    python -m benchmarks.scale.match --smoke
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from .._data import split_data
from .._measure import score
from .._private import small_blocks, small_buffers
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, sort_like
from ._rows import check_limit, distil

FOLDER = Path(__file__).parent
KEYS = ("data", "seed")
DATA, N_SEEDS = ("magic", "letter"), 5
LEARNED = ("whole", "chunks", "small blocks")
LIMIT = 0.005


def compare_fits(data: str, seed: int, smoke: bool) -> list[dict]:
    """Log loss of the same student, learned whole and by chunks."""
    X, X_test, y, y_test = split_data(data, seed)
    given, others, y_given, _ = train_test_split(
        X, y, train_size=300 if smoke else 4000, random_state=seed
    )
    others = others[:3000] if smoke else others
    forest = RandomForestClassifier(100, min_samples_leaf=2, random_state=seed)
    teacher = FrozenEstimator(forest.fit(given, y_given))
    made = {"augmenter": "munge", "n_synthetic": 2 * len(others)}
    made |= {"epochs": 2 if smoke else 30, "random_state": seed}
    parts = np.array_split(others, 3)
    whole = distil(given, y_given, others, teacher, **made)
    with small_buffers(4096):
        chunked = distil(given, y_given, parts, teacher, **made)
        with small_blocks(2000):
            blocked = distil(given, y_given, parts, teacher, **made)
    models = zip(LEARNED, (whole, chunked, blocked), strict=True)
    losses = {name: score(m, X_test, y_test)["log_loss"] for name, m in models}
    return [{"data": data, "seed": seed, **losses}]


def print_report(records: list[dict]) -> None:
    rows, lines = [], []
    for (data,), some in group(records, "data").items():
        losses = np.array([[r[name] for name in LEARNED] for r in some])
        gaps = losses[:, 1] - losses[:, 0]
        spread = gaps.std(ddof=1) if len(gaps) > 1 else 0.0
        means = [f"{mean:.4f}" for mean in losses.mean(axis=0)]
        rows.append([data, *means, f"{gaps.mean():+.4f} ± {spread:.4f}"])
        lines.append(check_limit(f"{data}, match", abs(gaps.mean()), LIMIT))
    print_table(
        "Held-out log loss, learned whole and by chunks (mean over seeds)",
        ["data", *LEARNED, "chunks less whole"],
        rows,
    )
    print("\n" + "\n".join(lines))


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else FOLDER / "match.csv", KEYS)
    data, n_seeds = (("tutorial",), 1) if args.smoke else (DATA, N_SEEDS)
    runs = [
        {"data": name, "seed": seed} for name, seed in product(data, range(n_seeds))
    ]
    missing = find_missing(results, runs, args)
    make_runs(results, missing, compare_fits, smoke=args.smoke)
    print_report(sort_like(results.records, data=data))


if __name__ == "__main__":
    main()
