"""Members and weights of the default teacher, by calibrated log loss.

Each member is fitted behind the default preprocessing, once on four fifths of the
training rows, where the last fifth sets the scalar that calibrates a vote and the
weights that are chosen, and once on all of them. Votes are means of what the members
say of the test rows.

- "former": LightGBM (200 trees) and two networks. "trees": with extra trees as well.
  "sampled": with a second LightGBM, 400 trees of 8 leaves on sampled rows and columns,
  which is the default: the trees add less than their labels cost. "both": with both.
- "chosen": weights of all members by greedy selection with replacement on the last
  fifth (Caruana et al., "Ensemble selection from libraries of models", ICML 2004).
- "best member": the member with the lowest log loss on that fifth.
- Times are CPU seconds of one thread, of the fit on all rows.

    python -m benchmarks.quality.members                # an hour
    python -m benchmarks.quality.members --smoke
"""

from __future__ import annotations

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from .._data import DATA, find_readable, split_data
from .._measure import fit_quietly, last_step
from .._private import (
    clip_probabilities,
    default_teacher,
    fit_calibration,
    prepare_columns,
)
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, sort_like, spread

FOLDER = Path(__file__).parent
KEYS = ("data", "seed")
FORMER = ("lightgbm", "mlp", "mlp2")
VOTES = {
    "former": FORMER,
    "trees": (*FORMER, "trees"),
    "sampled": (*FORMER, "sampled"),
    "both": (*FORMER, "trees", "sampled"),
}
CHOSEN = ("chosen", "best member")
N_ROUNDS = 20


def list_members(X, share: float) -> dict:
    """Name and unfitted model; `share` makes those of a smoke test smaller."""
    members = dict(last_step(default_teacher(X)).estimators)
    members["trees"] = ExtraTreesClassifier(300, min_samples_leaf=2, n_jobs=1)
    for member in members.values():
        if hasattr(member, "n_estimators"):
            member.set_params(n_estimators=int(share * member.n_estimators))
    return members


def choose_weights(said: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Greedy selection with replacement, from the mean of what was chosen so far."""
    counts = np.zeros(len(said))
    for _ in range(N_ROUNDS):
        losses = []
        for k in range(len(said)):
            weights = counts + (np.arange(len(said)) == k)
            proba = np.average(said, axis=0, weights=weights)
            losses.append(log_loss(codes, proba, labels=np.arange(proba.shape[1])))
        counts[np.argmin(losses)] += 1
    return counts / counts.sum()


def run_seed(data: str, seed: int, rows: int, share: float) -> list[dict]:
    """The votes of one split."""
    X, X_test, y, y_test = split_data(data, seed, rows)
    classes, codes = np.unique(y, return_inverse=True)
    own, held_out = train_test_split(
        np.arange(len(y)), test_size=0.2, stratify=codes, random_state=seed
    )

    def take(part):
        return X.iloc[part] if hasattr(X, "iloc") else X[part]

    said, served, times = [], [], {}
    for name, member in list_members(X, share).items():
        model = make_pipeline(prepare_columns(X), member)
        last_step(model).set_params(random_state=seed)
        part = fit_quietly(clone(model), take(own), codes[own])
        said.append(part.predict_proba(take(held_out)))
        start = time.process_time()
        fit_quietly(model, X, codes)
        times[name] = time.process_time() - start
        served.append(model.predict_proba(X_test))
    said, served, names = np.stack(said), np.stack(served), list(times)
    priors = np.bincount(codes) / len(codes)
    target = np.searchsorted(classes, y_test)

    def rate(weights) -> float:
        before, after = (
            clip_probabilities(np.average(p, axis=0, weights=weights), priors)
            for p in (said, served)
        )
        found = fit_calibration(before, codes[held_out], priors=priors)
        return float(log_loss(target, found.apply(after)))

    losses = [log_loss(codes[held_out], p, labels=range(len(classes))) for p in said]
    weights = {name: np.isin(names, members) for name, members in VOTES.items()}
    weights["chosen"] = choose_weights(said, codes[held_out])
    weights["best member"] = np.arange(len(names)) == np.argmin(losses)
    record = {"data": data, "seed": seed, "times": times}
    record["log_loss"] = {name: rate(w.astype(float)) for name, w in weights.items()}
    record["weights"] = dict(zip(names, map(float, weights["chosen"]), strict=True))
    return [record]


def print_report(records: list[dict]) -> None:
    rows, ratios = [], {name: [] for name in (*VOTES, *CHOSEN)}
    for (data,), found in group(sort_like(records, data=DATA), "data").items():
        row = [data, len(found)]
        for name, shares in ratios.items():
            losses = [r["log_loss"][name] for r in found]
            before = [r["log_loss"]["former"] for r in found]
            shares.append(np.mean(losses) / np.mean(before))
            row.append(show(spread(losses)))
        used = {m for name in VOTES for m in VOTES[name]}
        cost = np.mean([sum(r["times"][m] for m in used) for r in found])
        former = np.mean([sum(r["times"][m] for m in FORMER) for r in found])
        rows.append([*row, f"{cost / former:.2f}"])
    means = [f"{np.exp(np.mean(np.log(r))):.3f}" for r in ratios.values()]
    rows.append(["geometric mean of ratios", "", *means, ""])
    header = ["data", "seeds", *VOTES, *CHOSEN, "CPU, both / former"]
    print_table("Calibrated log loss of votes", header, rows)


def main() -> None:
    args = read_arguments(
        __doc__,
        data={"nargs": "+", "choices": list(DATA), "default": list(DATA)},
        seeds={"nargs": "+", "type": int, "default": list(range(3))},
        jobs={"type": int, "default": 1, "help": "processes"},
    )
    data, seeds, settings = args.data, args.seeds, {"rows": 4000, "share": 1.0}
    if args.smoke:
        data, seeds, settings = ["digits"], [0], {"rows": 300, "share": 0.05}
        os.environ["PIP_NO_INDEX"] = "1"
    results = Results(None if args.smoke else FOLDER / "members.csv", KEYS)
    runs = [dict(zip(KEYS, run[::-1], strict=True)) for run in product(seeds, data)]
    missing = find_missing(results, runs, args)
    readable = find_readable({run["data"] for run in missing})
    missing = [run for run in missing if run["data"] in readable]
    make_runs(results, missing, run_seed, args.jobs, **settings)
    print_report(results.records)


if __name__ == "__main__":
    main()
