"""What was compared to choose the defaults of `DistilledClassifier`.

One default is changed at a time: the members of the default teacher, the shape
and training of the default student, `temperature`, `alpha`, `cv` and clipping. The
student learns the training rows alone; `quality.py` is about synthetic rows. Data
that ship with scikit-learn, drawn by it, or made of such a draw (strings and
missing values), at most 800 training rows; five seeds of split, teacher and
student each; all figures on held-out rows. The student on hard labels is the
better, by mean log loss, of itself as built and of as many epochs as its
distilled twin took.

    python -m benchmarks.quality.defaults            # a quarter of an hour on 2 cores
    python -m benchmarks.quality.defaults --smoke
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

from .._measure import fit_for_epochs, fit_quietly, last_step, n_bytes, score
from .._private import clip_at, default_student, default_teacher
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import group, print_table, show, sort_like, spread

FOLDER = Path(__file__).parent
KEYS = ("data", "seed", "variant")
DEFAULT = "default"
HARD = ("as built", "equal updates")
METRICS = ("accuracy", "log_loss")


def make_table():
    """Numbers, strings and missing values of both kinds."""
    X, y = make_classification(
        2000, 12, n_informative=8, n_redundant=0, flip_y=0.03, random_state=7
    )
    table = pd.DataFrame(X, columns=[f"x{k}" for k in range(12)])
    for k in range(4):
        bins = pd.qcut(table[f"x{k}"], 4 + 3 * k, labels=False)
        table[f"x{k}"] = "category " + bins.astype(str)
    missing = np.random.default_rng(7).random(table.shape) < 0.05
    return table.mask(missing, np.nan), y


DRAW = partial(make_classification, 2000, 20, n_informative=10, n_redundant=5)
DATA = {
    "breast_cancer": partial(load_breast_cancer, return_X_y=True),
    "digits": partial(load_digits, return_X_y=True),
    "drawn, 2 classes": partial(DRAW, random_state=3),
    "drawn, 5 classes": partial(DRAW, n_classes=5, random_state=4),
    "mixed table": make_table,
}


def vote_of(*members: str):
    """Change the members of the default teacher."""

    def change(teacher):
        vote = last_step(teacher)
        known = {
            **dict(vote.estimators),
            "stopped": MLPClassifier((128, 64), early_stopping=True, max_iter=300),
            "random_forest": RandomForestClassifier(300, min_samples_leaf=2),
            "extra_trees": ExtraTreesClassifier(300, min_samples_leaf=2),
        }
        vote.set_params(estimators=[(name, known[name]) for name in members])

    return change


#: What is changed of the default teacher, of the network of the default student, and of
#: the settings.
TEACHERS = {
    "LightGBM alone": vote_of("lightgbm"),
    "LightGBM, trees, network": vote_of("lightgbm", "extra_trees", "mlp"),
    "LightGBM, trees, stopped network": vote_of("lightgbm", "extra_trees", "stopped"),
    "four families": vote_of("lightgbm", "random_forest", "extra_trees", "mlp"),
}
STUDENTS: dict[str, dict] = {
    "32-16": {"hidden_layer_sizes": (32, 16)},
    "128-64": {"hidden_layer_sizes": (128, 64)},
    "waits 10 epochs": {"n_iter_no_change": 10},
    "weight decay .01": {"alpha": 1e-2},
}
SETTINGS: dict[str, dict] = {
    "temperature=1": {"temperature": 1},
    "temperature=2": {"temperature": 2},
    "temperature=5": {"temperature": 5},
    "alpha=.5": {"alpha": 0.5},
    "cv=5": {"cv": 5},
}
CLIPPING = {"clipping at 1e-5": 1e-5}
VARIANTS = (DEFAULT, *TEACHERS, *STUDENTS, *SETTINGS, *CLIPPING)


def make_distilled(variant: str, X, n_rows: int, **settings) -> DistilledClassifier:
    """The default teacher and student, with what the variant changes."""
    teacher, student = default_teacher(X), default_student(X, n_rows)
    if variant in TEACHERS:
        TEACHERS[variant](teacher)
    last_step(student).set_params(**STUDENTS.get(variant, {}))
    settings |= {"augmenter": None, "calibrate": False, **SETTINGS.get(variant, {})}
    return DistilledClassifier(teacher, student, **settings)


def run_variant(
    data: str, seed: int, variant: str, n_rows: int, memory: str
) -> list[dict]:
    """One variant on one split."""
    X, y = DATA[data]()
    n_rows = min(n_rows, int(0.7 * len(y)))
    split = train_test_split(X, y, train_size=n_rows, random_state=seed, stratify=y)
    X_train, X_test, y_train, y_test = split
    distilled = make_distilled(
        variant, X_train, len(y_train), memory=memory, random_state=seed
    )
    with clip_at(CLIPPING.get(variant)):
        fit_quietly(distilled, X_train, y_train)
    record = {
        **{"data": data, "seed": seed, "variant": variant},
        "bytes": n_bytes(distilled.student_),
        "teacher": score(distilled.teacher_, X_test, y_test),
        "distilled": score(distilled.student_, X_test, y_test),
    }
    # Teachers and settings leave the default student on hard labels as it is.
    if variant == DEFAULT or variant in STUDENTS:
        record["hard"] = score_hard(distilled.student_, split)
    return [record]


def score_hard(student, split) -> dict:
    """The student without a teacher: as built, and for as many epochs."""
    X_train, X_test, y_train, y_test = split
    n_epochs = last_step(student).n_iter_
    built = fit_quietly(clone(student), X_train, y_train)
    equal = fit_for_epochs(student, n_epochs, X_train, y_train)
    fitted = zip(HARD, (built, equal), strict=True)
    return {name: score(model, X_test, y_test) for name, model in fitted}


def detail_rows(records: list[dict]) -> list[list]:
    """A row a data set and variant, means and spreads over seeds."""
    groups = group(records, "data", "variant")
    rows = []
    for (data, variant), some in groups.items():

        def show_spread(read, some=some) -> str:
            return show(spread(read(record) for record in some))

        hard = some if "hard" in some[0] else groups[data, DEFAULT]
        row = [data, variant]
        row += [show_spread(lambda r, m=m: r["teacher"][m]) for m in METRICS]
        row += [show(spread(values)) for values in read_better(hard)]
        row += [show_spread(lambda r, m=m: r["distilled"][m]) for m in METRICS]
        size = spread(record["bytes"] for record in some)["mean"]
        rows.append([*row, f"{size / 1e3:.0f}"])
    return rows


def read_better(records: list[dict]) -> list[list[float]]:
    """Figures of the better way to learn hard labels, by its mean log loss."""

    def read(way: str, metric: str) -> list[float]:
        return [record["hard"][way][metric] for record in records]

    best = min(HARD, key=lambda way: np.mean(read(way, "log_loss")))
    return [read(best, metric) for metric in METRICS]


def compare_rows(records: list[dict]) -> list[list]:
    """Paired differences from the default, over data sets and seeds."""
    base = {(r["data"], r["seed"]): r for r in records if r["variant"] == DEFAULT}
    rows = []
    for (variant,), runs in group(records, "variant").items():
        row = [variant]
        for m, metric in product(("teacher", "distilled"), METRICS):
            change = [
                r[m][metric] - base[r["data"], r["seed"]][m][metric] for r in runs
            ]
            row.append(show(spread(change)))
        rows.append(row)
    return rows


def print_report(records: list[dict]) -> None:
    records = sort_like(records, data=DATA, variant=VARIANTS)
    n_seeds = len(group(records, "seed"))
    scores = ["accuracy", "log loss"]
    models = [f"{m} {s}" for m in ("teacher", "hard", "distilled") for s in scores]
    print_table(
        f"Held-out rows, {n_seeds} seeds, mean ± standard deviation",
        ["data", "variant", *models, "student kB"],
        detail_rows(records),
    )
    print_table(
        "Variant less default, over data sets and seeds",
        ["variant", *(m for m in models if not m.startswith("hard"))],
        compare_rows(records),
    )


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 2})
    results = Results(None if args.smoke else FOLDER / "defaults.csv", KEYS)
    n_seeds, n_rows = (1, 210) if args.smoke else (5, 800)
    names = ["mixed table"] if args.smoke else list(DATA)
    runs = [
        dict(zip(KEYS, values, strict=True))
        for values in product(names, range(n_seeds), VARIANTS)
    ]
    with TemporaryDirectory() as memory:
        missing = find_missing(results, runs, args)
        settings = {"n_rows": n_rows, "memory": memory}
        make_runs(results, missing, run_variant, args.jobs, **settings)
    print_report(results.records)


if __name__ == "__main__":
    main()
