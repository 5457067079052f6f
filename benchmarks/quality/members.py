"""The default teacher's vote: its members and their weights, by calibrated log loss.

Each vote is the teacher of a DistilledClassifier, which sets a fifth of the training
rows aside to calibrate it, and is then fitted on all of them. Its labels of the test
rows are calibrated as a student would learn them.

- "former": LightGBM (200 trees) and two networks, with equal weights. "equal": with a
  second LightGBM, 400 trees of 8 leaves on sampled rows and columns. "chosen": the
  default, the same members with weights by greedy selection on the rows set aside
  (Caruana et al., "Ensemble selection from libraries of models", ICML 2004).
- "best member" is the best of three kinds of members alone ("lightgbm", "sampled",
  "mlp"; the second network differs by its seed), each calibrated in the same way: the
  best on the test rows, in hindsight.
- CPU seconds are those of the teachers' two fits and of the training rows' labels, with
  one thread; "row" is what the label of a test row takes. Both stand as shares of the
  former vote.
- "worse" is by more than a standard error of the paired difference over test rows, seed
  by seed.

    python -m benchmarks.quality.members                # an hour
    python -m benchmarks.quality.members --smoke
"""

from __future__ import annotations

import os
import time
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

from .._data import DATA, find_readable, split_data
from .._measure import fit_quietly, last_step
from .._private import Calibration, clip_probabilities, default_teacher, prepare_columns
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, sort_like, spread

FOLDER = Path(__file__).parent
KEYS = ("data", "seed")
VOTES = ("former", "equal", "chosen")
MEMBERS = ("lightgbm", "sampled", "mlp")


def make_teacher(vote: str, X):
    """Return the teacher; None is the default one."""
    teacher = default_teacher(X)
    if vote == "former":
        teacher.set_params(vote__sampled="drop")
    if vote in MEMBERS:
        others = {name for name, _ in teacher[-1].estimators} - {vote}
        teacher.set_params(**{f"vote__{name}": "drop" for name in others})
    return None if vote == "chosen" else teacher


def rate_vote(vote: str, seed: int, X, y, X_test, y_test) -> tuple[dict, np.ndarray]:
    """Return the figures of a vote, and its log loss of each test row."""
    # What the student is does not matter: a stump takes no time.
    student = make_pipeline(prepare_columns(X), DecisionTreeClassifier(max_depth=1))
    distilled = DistilledClassifier(
        make_teacher(vote, X), student, augmenter=None, pilot=0, random_state=seed
    )
    start = time.process_time()
    fit_quietly(distilled, X, y)
    fitted = time.process_time()
    proba = distilled.teacher_.predict_proba(X_test)
    row = (time.process_time() - fitted) / len(y_test)
    _, counts = np.unique(y, return_counts=True)
    found = Calibration(distilled.calibration_, distilled.calibration_shift_)
    served = found.apply(clip_probabilities(proba, counts / counts.sum()))
    own = np.searchsorted(distilled.classes_, y_test)
    losses = -np.log(served[np.arange(len(own)), own])
    members = last_step(distilled.teacher_)
    weights = members.weights or np.ones(len(members.estimators_))
    names = [name for name, _ in members.estimators]
    shares = dict(zip(names, np.asarray(weights) / np.sum(weights), strict=False))
    figures = {"log_loss": losses.mean(), "cpu": fitted - start, "row_us": 1e6 * row}
    return {**figures, **({"weights": shares} if vote == "chosen" else {})}, losses


def run_seed(data: str, seed: int, rows: int, test_rows: int) -> list[dict]:
    """The votes of one split."""
    X, X_test, y, y_test = split_data(data, seed, rows)
    X_test, y_test = X_test[:test_rows], y_test[:test_rows]
    record, losses = {"data": data, "seed": seed}, {}
    for vote in (*VOTES, *MEMBERS):
        record[vote], losses[vote] = rate_vote(vote, seed, X, y, X_test, y_test)
    for vote in (*VOTES[:2], *MEMBERS):
        lead = losses["chosen"] - losses[vote]
        record["lead"] = {
            **record.get("lead", {}),
            vote: lead.mean() / max(lead.std() / len(lead) ** 0.5, 1e-12),
        }
    return [record]


def find_best_member(records: list[dict]) -> str:
    """The member that is best on the test rows, by its mean over the seeds."""
    return min(MEMBERS, key=lambda m: np.mean([r[m]["log_loss"] for r in records]))


def print_report(records: list[dict]) -> None:
    rows, ratios = [], {name: [] for name in (*VOTES, "best member")}
    costs, labels = [], []
    for (data,), found in group(sort_like(records, data=DATA), "data").items():
        row, best = [data, len(found)], find_best_member(found)
        before = np.mean([r["former"]["log_loss"] for r in found])
        for column, vote in zip(ratios, (*VOTES, best), strict=True):
            losses = [r[vote]["log_loss"] for r in found]
            row.append(show(spread(losses)))
            ratios[column].append(np.mean(losses) / before)
        row[-1] += f" ({best})"
        worse = [
            f"{sum(r['lead'][vote] > 1 for r in found)} of {len(found)}"
            for vote in (*VOTES[:2], best)
        ]
        cpu, row_us = (
            {vote: np.mean([r[vote][name] for r in found]) for vote in VOTES}
            for name in ("cpu", "row_us")
        )
        costs.append([cpu[vote] / cpu["former"] for vote in VOTES[1:]])
        labels.append([row_us[vote] / row_us["former"] for vote in VOTES[1:]])
        row += worse
        row += [" / ".join(f"{x:.2f}" for x in part[-1]) for part in (costs, labels)]
        rows.append(row)
    means = [f"{np.exp(np.mean(np.log(r))):.3f}" for r in ratios.values()]
    ends = [
        " / ".join(f"{x:.2f}" for x in np.exp(np.mean(np.log(part), axis=0)))
        for part in (costs, labels)
    ]
    rows.append(["geometric mean of ratios", "", *means, "", "", "", *ends])
    header = ["data", "seeds", *ratios]
    header += ["worse than former", "than equal", "than best member"]
    header += ["CPU, equal / chosen", "row, equal / chosen"]
    print_table("Calibrated log loss of votes", header, rows)


def main() -> None:
    args = read_arguments(
        __doc__,
        data={"nargs": "+", "choices": list(DATA), "default": list(DATA)},
        seeds={"nargs": "+", "type": int, "default": list(range(2))},
        jobs={"type": int, "default": 1, "help": "processes"},
    )
    data, seeds, settings = args.data, args.seeds, {"rows": 4000, "test_rows": 4000}
    if args.smoke:
        data, seeds, settings = ["tutorial"], [0], {"rows": 500, "test_rows": 100}
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
