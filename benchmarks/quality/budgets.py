"""A budget of labels: log loss against `max_labels`, and what the labels are for.

The teacher is the vote of `quality.py`, fitted on 80% of 4,000 rows and frozen; the
other 20% are `X_val`. The student is an MLP of 64 and 32 units. "Hard" is the same
student on the true labels of the same 80%, for as many epochs as validation rows
choose. Five seeds.

`budgets.png` needs matplotlib.

    python -m benchmarks.quality.budgets          # an hour
    python -m benchmarks.quality.budgets --smoke
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skdistill import DistilledClassifier

from .. import _private
from .._data import find_readable
from .._measure import score
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, spread
from . import _models
from ._group import fit_timed

FOLDER = Path(__file__).parent
KEYS = ("data", "seed", "budget")
DATA = ("magic", "satimage", "letter", "adult")
BUDGETS = (500, 1000, 2000, 5000, 10_000, 50_000)
PURPOSES = ("validation", "pilots", "transfer", "training")


def fit_budgets(data: str, seed: int, budgets: list[int], rows: int, size) -> list:
    """One seed: the same teacher and student with each budget."""
    split, validation = _models.hold_out_fifth(data, seed, rows, size)
    X_test, y_test = split.X_test, split.y_test
    vote = _models.make_seeded_vote(split)
    teacher, _ = fit_timed(vote, split.X_train, split.y_train)
    parts = {"data": data, "seed": seed, "teacher": score(teacher, X_test, y_test)}
    records: list[dict] = []
    # The largest first: hard labels learn for as long as its student at most.
    for budget in sorted(budgets, reverse=True):
        student = _models.make_student("mlp", split)
        model = DistilledClassifier(
            FrozenEstimator(teacher), student, max_labels=budget, random_state=seed
        )
        model, _ = fit_timed(model, split.X_train, split.y_train, **validation)
        if "hard" not in parts:
            hard = _private.fit_directly(
                clone(student), model.student_, split.X_train, split.y_train, None
            )
            parts["hard"] = score(hard, X_test, y_test)
        asked = {name: model.labels_asked_.get(name, 0) for name in PURPOSES}
        figures = {"distilled": score(model, X_test, y_test), "asked": asked}
        records.append({**parts, "budget": budget, **figures})
    return records


def print_report(records: list[dict]) -> None:
    rows = []
    for (data, budget), some in group(records, "data", "budget").items():
        losses = {
            model: spread(record[model]["log_loss"] for record in some)
            for model in ("hard", "distilled", "teacher")
        }
        asked = [np.mean([r["asked"][name] for r in some]) for name in PURPOSES]
        rows.append(
            [
                *(data, f"{budget:,}", *map(show, losses.values())),
                *(f"{n:,.0f}" for n in asked),
                str(len(some)),
            ]
        )
    header = ["data", "budget", "log loss: hard", "distilled", "teacher"]
    header += [f"labels for {name}" for name in PURPOSES]
    print_table("Log loss by budget of labels", [*header, "seeds"], rows)


def draw_plot(records: list[dict], path: Path) -> None:
    """Log loss above, and what the labels were for below, a column a table."""
    if not records or find_spec("matplotlib") is None:
        print("No plot: it needs runs, and matplotlib.")
        return
    from matplotlib.figure import Figure

    names = sorted({record["data"] for record in records})
    figure = Figure(figsize=(3.6 * len(names), 4.8), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False, sharex="col")
    for (upper, lower), name in zip(axes.T, names, strict=True):
        by_budget = group([r for r in records if r["data"] == name], "budget")
        budgets = [budget for (budget,) in by_budget]
        for model, style in (("hard", "k:"), ("teacher", "k--"), ("distilled", "ko-")):
            losses = [
                np.mean([r[model]["log_loss"] for r in some])
                for some in by_budget.values()
            ]
            upper.plot(budgets, losses, style, label=model, markersize=4)
        shares = [
            [
                np.mean([r["asked"][use] for r in some]) / budget
                for (budget,), some in by_budget.items()
            ]
            for use in PURPOSES
        ]
        greys = ("0.15", "0.4", "0.65", "0.85")
        lower.stackplot(budgets, shares, labels=PURPOSES, colors=greys)
        upper.set(title=name, xscale="log", ylabel="log loss")
        lower.set(xlabel="max_labels", ylabel="share of the budget", ylim=(0, 1))
    axes[0, -1].legend(fontsize=8)
    axes[1, -1].legend(fontsize=8, loc="upper right", framealpha=1)
    figure.savefig(path, dpi=150)
    print(f"Written: {path.name}")


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 1})
    names, seeds, budgets, settings = (
        (["iris"], range(1), [100, 300], {"rows": 100, "size": _models.SMOKE})
        if args.smoke
        else (DATA, range(5), BUDGETS, {"rows": 4000, "size": _models.Size()})
    )
    results = Results(None if args.smoke else FOLDER / "budgets.csv", KEYS)
    if not args.report:
        names = find_readable(names)
    jobs = []
    # By seeds: an unfinished run has seen every table.
    for seed, data in product(seeds, names):
        job = {"data": data, "seed": seed}
        runs = [{**job, "budget": budget} for budget in budgets]
        missing = [run["budget"] for run in find_missing(results, runs, args)]
        if missing:
            jobs.append({**job, "budgets": missing})
    changed = make_runs(results, jobs, fit_budgets, args.jobs, **settings)
    print_report(results.records)
    picture = FOLDER / "budgets.png"
    if not args.smoke and (changed or not picture.exists()):
        draw_plot(results.records, picture)


if __name__ == "__main__":
    main()
