"""What was compared to choose the defaults of `DistilledClassifier`.

One default is changed at a time: the members of the default teacher, the shape
and training of the default student, `temperature`, `alpha`, `cv` and clipping. The
student learns the training rows alone; `quality.py` is about the rows beyond. Data
that ship with scikit-learn, drawn by it, or made of such a draw (strings and
missing values), at most 800 training rows; five seeds of split, teacher and
student each; all figures on held-out rows. The student on hard labels is the
better, by mean log loss, of itself as built and of as many passes as its
distilled twin made.

    python benchmarks/defaults.py            # a quarter of an hour on 2 cores
    python benchmarks/defaults.py --smoke    # seconds; writes no defaults.json
"""

from __future__ import annotations

from _common import (
    fit_for_epochs,
    fit_quietly,
    last_step,
    n_bytes,
    print_table,
    read_arguments,
    score,
    show,
    spread,
    write_json,
)

# isort: split
from functools import partial
from itertools import product
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier
from skdistill._labels import _soft_targets as _targets
from skdistill._labels._defaults import default_student, default_teacher

DEFAULT = "default"
HARD = ("hard", "hard, equal updates")
METRICS = ("accuracy", "log_loss")


def make_table():
    """Numbers, strings and missing values of both kinds."""
    X, y = make_classification(
        2000, 12, n_informative=8, n_redundant=0, flip_y=0.03, random_state=7
    )
    table = pd.DataFrame(X, columns=[f"x{k}" for k in range(12)])
    for k in range(4):
        bins = pd.qcut(table[f"x{k}"], 4 + 3 * k, labels=False)
        table[f"x{k}"] = "level " + bins.astype(str)
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


def teacher_for(X, y):
    return default_teacher(X)


def student_for(X, y):
    return default_student(X, len(y))


def vote_of(*members: str):
    """The default teacher with other members."""

    def build(X, y):
        teacher = teacher_for(X, y)
        vote = last_step(teacher)
        known = {
            **dict(vote.estimators),
            "stopped": MLPClassifier((128, 64), early_stopping=True, max_iter=300),
            "random_forest": RandomForestClassifier(300, min_samples_leaf=2),
            "extra_trees": ExtraTreesClassifier(300, min_samples_leaf=2),
        }
        vote.set_params(estimators=[(name, known[name]) for name in members])
        return teacher

    return build


def network(**params):
    """The default student with other parameters of its network."""

    def build(X, y):
        student = student_for(X, y)
        last_step(student).set_params(**params)
        return student

    return build


TEACHERS = {
    "LightGBM alone": vote_of("lightgbm"),
    "LightGBM, trees, network": vote_of("lightgbm", "extra_trees", "mlp"),
    "LightGBM, trees, stopped network": vote_of("lightgbm", "extra_trees", "stopped"),
    "four families": vote_of("lightgbm", "random_forest", "extra_trees", "mlp"),
}
STUDENTS = {
    "32-16": network(hidden_layer_sizes=(32, 16)),
    "128-64": network(hidden_layer_sizes=(128, 64)),
    "waits 10 passes": network(n_iter_no_change=10),
    "weight decay .01": network(alpha=1e-2),
}
SETTINGS = {
    "temperature=1": {"temperature": 1},
    "temperature=2": {"temperature": 2},
    "temperature=5": {"temperature": 5},
    "alpha=.5": {"alpha": 0.5},
    "cv=5": {"cv": 5},
    "clipping at 1e-5": {"epsilon": 1e-5},
}


def list_variants() -> list[tuple]:
    """Name, teacher, student and settings of everything that is compared."""
    rows: list[tuple] = [(DEFAULT, teacher_for, student_for, {})]
    rows += [(name, build, student_for, {}) for name, build in TEACHERS.items()]
    rows += [(name, teacher_for, build, {}) for name, build in STUDENTS.items()]
    return rows + [(n, teacher_for, student_for, kw) for n, kw in SETTINGS.items()]


def run_seed(data: str, seed: int, n_rows: int, memory: str) -> list[dict]:
    """Every variant on one split."""
    X, y = DATA[data]()
    n_rows = min(n_rows, int(0.7 * len(y)))
    split = train_test_split(X, y, train_size=n_rows, random_state=seed, stratify=y)
    X_train, X_test, y_train, y_test = split
    results: list[dict] = []
    for name, teacher, student, settings in list_variants():
        distilled = fit_variant(
            teacher, student, settings, X_train, y_train, memory=memory, seed=seed
        )
        # Teachers and settings leave the default student on hard labels as it is.
        if name == DEFAULT or name in STUDENTS:
            hard = score_hard(distilled.student_, split)
        else:
            hard = {key: results[0][key] for key in HARD}
        result = {
            **{"data": data, "variant": name, "seed": seed},
            "bytes": n_bytes(distilled.student_),
            "teacher": score(distilled.teacher_, X_test, y_test),
            "distilled": score(distilled.student_, X_test, y_test),
            **hard,
        }
        results.append(result)
    return results


def fit_variant(teacher, student, settings, X, y, *, memory, seed):
    """Fit; clipping is a constant of the package, changed for this fit only."""
    settings = dict(settings)
    epsilon = settings.pop("epsilon", _targets.EPSILON)
    distilled = DistilledClassifier(
        teacher(X, y),
        student(X, y),
        augmenter=None,
        calibrate=False,
        memory=memory,
        random_state=seed,
        **settings,
    )
    kept = _targets.clip_probabilities.__defaults__
    _targets.clip_probabilities.__defaults__ = (epsilon,)
    try:
        return fit_quietly(distilled, X, y)
    finally:
        _targets.clip_probabilities.__defaults__ = kept


def score_hard(student, split) -> dict:
    """The student without a teacher: as built, and for as many passes."""
    X_train, X_test, y_train, y_test = split
    n_epochs = last_step(student).n_iter_
    built = fit_quietly(clone(student), X_train, y_train)
    equal = fit_for_epochs(student, n_epochs, X_train, y_train)
    fitted = zip(HARD, (built, equal), strict=True)
    return {name: score(model, X_test, y_test) for name, model in fitted}


def aggregate(results: list[dict]) -> list[dict]:
    """One record per data set and variant, means and spreads over seeds."""
    groups: dict[tuple, list[dict]] = {}
    for result in results:
        groups.setdefault((result["data"], result["variant"]), []).append(result)
    records = []
    for (data, variant), group in groups.items():
        record = {"data": data, "variant": variant, "seeds": len(group)}
        for model, metric in product(("teacher", *HARD, "distilled"), METRICS):
            values = [result[model][metric] for result in group]
            record[f"{model} {metric}"] = spread(values)
        record["bytes"] = spread(result["bytes"] for result in group)
        records.append(record)
    return records


def detail_rows(records: list[dict]) -> list[list]:
    rows = []
    for record in records:
        row = [record["data"], record["variant"]]
        hard = min(HARD, key=lambda name: record[f"{name} log_loss"]["mean"])
        for model, metric in product(("teacher", hard, "distilled"), METRICS):
            row.append(show(record[f"{model} {metric}"]))
        rows.append([*row, f"{record['bytes']['mean'] / 1e3:.0f}"])
    return rows


def compare_rows(results: list[dict]) -> list[list]:
    """Paired differences from the default, over data sets and seeds."""
    base = {(r["data"], r["seed"]): r for r in results if r["variant"] == DEFAULT}
    rows = []
    for variant in dict.fromkeys(r["variant"] for r in results):
        runs = [r for r in results if r["variant"] == variant]
        row = [variant]
        for m, metric in product(("teacher", "distilled"), METRICS):
            change = [
                r[m][metric] - base[r["data"], r["seed"]][m][metric] for r in runs
            ]
            row.append(show(spread(change)))
        rows.append(row)
    return rows


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 2})
    n_seeds, n_rows = (1, 210) if args.smoke else (5, 800)
    names = ["mixed table"] if args.smoke else list(DATA)
    with TemporaryDirectory() as memory:
        parts = Parallel(n_jobs=args.jobs)(
            delayed(run_seed)(name, seed, n_rows, memory)
            for name, seed in product(names, range(n_seeds))
        )
    results = [result for part in parts for result in part]
    records = aggregate(results)
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
        compare_rows(results),
    )
    if not args.smoke:
        write_json("defaults.json", {"summary": records, "runs": results})


if __name__ == "__main__":
    main()
