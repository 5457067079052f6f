"""What each family of students costs, and what it learns, on soft targets.

Students of equal settings on hard labels and on soft targets (`fit_student`, at
temperature 1), on letter (26 classes) and magic (2). The teacher is the soft vote of
LightGBM, a random forest, extra trees and a network, fitted on 4,000 rows.

- Cost: CPU time of one thread, median of the ratios of interleaved repeats, and what
  the fit adds to the resident memory of a fresh process at its peak, on 8,000 rows
  that the teacher did not see. Equal passes and rounds, and equal leaf sizes. Rows
  and targets (1.7 MB on 26 classes) are there before, and count for neither.
- Exactness: soft cross-entropy on 1,000 training rows after the family's route, and
  after a stock fit on weighted copies, one a class. What counts rows counts copies
  there, and what draws at random is switched off, or draws alike. SGD makes other
  updates on copies: it is compared with the minimum that L-BFGS finds on them.
- Quality: held-out log loss and accuracy after hard labels, in-sample and out-of-fold
  (3 folds) labels of the teacher on 4,000 training rows, over five seeds of split,
  teacher and student.

The targets: at most 1.2 times the time of hard labels for networks and linear models,
1.5 times for trees and boosted trees on 2 classes; at most twice the memory on 26
classes; at most 1e-3 of cross-entropy from the copies. XGBoost, CatBoost and torch
take part where they are installed.

    python benchmarks/students.py            # 18 minutes, loaded; writes students.json
    python benchmarks/students.py --smoke    # seconds; writes nothing
"""

from __future__ import annotations

from _common import (
    added_megabytes,
    fit_quietly,
    print_table,
    read_arguments,
    score,
    show,
    spread,
    write_json,
)

# isort: split
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from time import process_time
from typing import Any

import numpy as np
from _data import CACHE, Offline, split_data
from _student_families import (
    BAYES,
    CAT,
    EXTRA,
    FOREST,
    HIST,
    LIGHT,
    LOGISTIC,
    MLP,
    NET,
    SGD,
    TREE,
    XGB,
    make_students,
    make_teacher,
)
from joblib import Memory, Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from skdistill._labels._soft_targets import class_priors, cross_entropy, soft_targets
from skdistill._soft_data import SoftDataset
from skdistill._students import fit_student
from skdistill._students._expansion import expand_rows

DATA = {"letter": 26, "magic": 2}
LABELS = ("hard", "in-sample", "out-of-fold")
METRICS = ("log_loss", "accuracy")

#: Time on soft targets over time on hard labels, by family and number of classes.
TIME_LIMITS = {(name, k): 1.2 for name in (MLP, LOGISTIC, SGD, NET) for k in (2, 26)}
TIME_LIMITS |= {(n, 2): 1.5 for n in (TREE, FOREST, EXTRA, HIST, LIGHT, XGB, CAT)}
MEMORY_LIMIT, LOSS_LIMIT = 2.0, 1e-3

#: MB below which two peaks can't be told apart: less counts as this.
FLOOR = 1.0


# Rows and labels ----------------------------------------------------------------------


def load_rows(name: str, seed: int, n_train: int, n_test: int, smoke: bool):
    """A split; of drawn rows where a smoke test can't have the others."""
    try:
        X, X_test, y, y_test = split_data(name, seed, n_train)
    except Offline as reason:
        if not smoke:
            raise
        print(f"{reason}\nDrawn data stand in.")
        draw = {"n_informative": 8, "n_clusters_per_class": 1, "random_state": seed}
        X, y = make_classification(2 * n_train, 12, n_classes=DATA[name], **draw)
        return train_test_split(X, y, train_size=n_train, stratify=y)
    return X, X_test[:n_test], y, y_test[:n_test]


def label_rows(teacher: Any, split: Any, n_folds: int, seed: int) -> dict[str, Any]:
    """Standardised rows, their labels as codes, and the teacher's probabilities."""
    X_train, X_test, y_train, y_test = split
    classes, y_train = np.unique(y_train, return_inverse=True)
    y_test = np.searchsorted(classes, y_test)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    out_of_fold = np.zeros((len(y_train), len(classes)))
    for seen, held_out in folds.split(X_train, y_train):
        fitted = fit_quietly(clone(teacher), X_train[seen], y_train[seen])
        out_of_fold[held_out] = fitted.predict_proba(X_train[held_out])
    fitted = fit_quietly(clone(teacher), X_train, y_train)
    return {
        "train": (X_train, y_train),
        "test": (X_test, y_test),
        "in-sample": fitted.predict_proba(X_train),
        "out-of-fold": out_of_fold,
        "unseen": fitted.predict_proba(X_test),
        "teacher": score(fitted, X_test, y_test),
    }


def make_soft(X, y, proba, n_rows: int | None = None) -> SoftDataset:
    """The targets that `DistilledClassifier` makes at temperature 1."""
    X, y, proba = X[:n_rows], y[:n_rows], proba[:n_rows]
    n_classes = proba.shape[1]
    prior = class_priors(y, n_classes, None)
    targets = soft_targets(proba, y, prior=prior, alpha=1.0, temperature=1.0)
    return SoftDataset(X, targets, np.arange(n_classes), y)


def fit_hard(student: Any, data: SoftDataset) -> Any:
    return fit_quietly(clone(student), data.X, data.y)


def fit_soft(student: Any, data: SoftDataset) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_student(clone(student), data)


ROUTES: dict[str, Callable[..., Any]] = {"hard": fit_hard, "soft": fit_soft}


# Cost ---------------------------------------------------------------------------------

#: With other labels L-BFGS converges after other passes: here it makes as many.
FOR_COST = {LOGISTIC: {"max_iter": 15, "tol": 1e-12}, NET: {"max_epochs": 20}}


def time_fits(student: Any, data: SoftDataset, repeats: int) -> dict:
    """Seconds of both routes, in alternating order; slow fits are repeated less."""
    seconds: dict[str, list[float]] = {"hard": [], "soft": []}
    passes = {}
    fit_soft(student, take_few(data))  # loads what is loaded late
    for k in range(repeats):
        for route in list(ROUTES)[:: 1 - 2 * (k % 2)]:
            start = process_time()
            fitted = ROUTES[route](student, data)
            seconds[route].append(process_time() - start)
            passes[route] = np.ravel(getattr(fitted, "n_iter_", [0])).max()
        if sum(map(sum, seconds.values())) > (6 if k >= 2 else 20):
            break
    if passes["hard"] != passes["soft"]:
        raise ValueError(f"Both routes must make equal passes, received {passes}.")
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


def measure_memory(student: Any, data: SoftDataset, route: str) -> float | None:
    """MB that a fit adds at its peak, after a small one that loads the libraries."""
    ROUTES[route](student, take_few(data))
    return added_megabytes(partial(ROUTES[route], student, data))


def judge(value: float, limit: float | None, text: str) -> str:
    if limit is None:
        return text
    return f"{text} {'meets' if value <= limit else 'MISSES'} {limit:g}"


def compare_costs(
    build: Any, labelled: dict, n_rows: int, repeats: int, only: Any
) -> list[dict]:
    """Time and memory of every family; memory of one of them, or of all."""
    # Memory that is freed goes back at once: what a fit reuses would not be seen.
    os.environ |= {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    records, futures = [], {}
    fresh = {"mp_context": get_context("spawn"), "max_tasks_per_child": 1}
    with ProcessPoolExecutor(1, **fresh) as pool:
        for data, labels in labelled.items():
            soft = make_soft(*labels["test"], labels["unseen"], n_rows)
            head = {"data": data, "classes": len(soft.classes)}
            for name, student in build((soft.X.shape[1], head["classes"]), 0).items():
                student.set_params(**FOR_COST.get(name, {}))
                for route in ROUTES if only in (None, (data, name)) else ():
                    future = pool.submit(measure_memory, student, soft, route)
                    futures[data, name, route] = future
                times = time_fits(student, soft, repeats)
                records.append({**head, "family": name, **times})
    for record in records:
        keys = {r: (record["data"], record["family"], r) for r in ROUTES}
        if set(keys.values()) <= set(futures):
            record["MB"] = {r: futures[key].result() for r, key in keys.items()}
    return records


def cost_row(record: dict) -> list[str]:
    name, n_classes, used = record["family"], record["classes"], record.get("MB")
    time = f"{record['ratio']:.2f} ± {record['ratio_sd']:.2f}"
    seconds = " / ".join(f"{record['seconds'][r]:.2f}" for r in ROUTES)
    megabytes, memory = "", "not measured"
    if used and None not in used.values():
        megabytes = " / ".join(f"{used[r]:.1f}" for r in ROUTES)
        ratio = max(used["soft"], FLOOR) / max(used["hard"], FLOOR)
        limit = MEMORY_LIMIT if n_classes == DATA["letter"] else None
        memory = judge(ratio, limit, f"{ratio:.2f}")
    judged = judge(record["ratio"], TIME_LIMITS.get((name, n_classes)), time)
    return [record["data"], name, seconds, judged, megabytes, memory]


# Exactness ----------------------------------------------------------------------------

#: Parameters of both routes that leave nothing to chance or to the count of rows.
ALIKE = {
    MLP: {"shuffle": False, "max_iter": 10},
    NET: {"iterator_train__shuffle": False, "max_epochs": 10},
    LOGISTIC: {"tol": 1e-7, "max_iter": 2000},
    # Small steps, averaged after the first 200,000.
    SGD: {
        **{"alpha": 1e-2, "max_iter": 300, "average": 200_000},
        **{"learning_rate": "constant", "eta0": 5e-3},
    },
    FOREST: {"bootstrap": False},
    # Leaves bounded by weight, and bins by nothing.
    LIGHT: {"min_child_samples": 1, "min_child_weight": 2.0, "min_data_in_bin": 1},
    # CatBoost multiplies its penalty by the mean weight of the rows.
    CAT: {"bootstrap_type": "No", "random_strength": 0, "l2_leaf_reg": 3.0},
}

#: What counts rows, and counts `n_classes` times as many copies.
COUNTS = {
    MLP: "batch_size",
    NET: "batch_size",
    **dict.fromkeys((TREE, FOREST, EXTRA, HIST), "min_samples_leaf"),
    CAT: "l2_leaf_reg",
}

ROUTES_OF = {
    MLP: "the same batches, of copies",
    NET: "the same batches, of copies",
    SGD: "the minimum on copies",
    BAYES: "copies (the same route)",
}


def fit_copies(name: str, student: Any, data: SoftDataset) -> Any:
    """Fit on weighted copies by the library's own means."""
    X, y, weight, _ = expand_rows(data)
    if len(y) != data.n_samples * len(data.classes):
        raise ValueError(f"Each row must have a copy a class, received {len(y)}.")
    if name == SGD:
        return fit_minimum(student, X, y, weight, data.n_samples)
    if name in COUNTS:
        value = student.get_params()[COUNTS[name]]
        student.set_params(**{COUNTS[name]: value * len(data.classes)})
    if name == NET:
        return fit_weighted_net(student, X, y, weight)
    return fit_quietly(student, X, y, sample_weight=weight)


def fit_minimum(student: Any, X, y, weight, n_samples: int) -> Any:
    """What SGD approaches: a logistic regression of each class against the rest."""
    exact = LogisticRegression(C=1 / (student.alpha * n_samples), tol=1e-8)
    with config_context(enable_metadata_routing=True):
        exact.set_params(max_iter=1000).set_fit_request(sample_weight=True)
        return OneVsRestClassifier(exact).fit(X, y, sample_weight=weight)


def fit_weighted_net(net: Any, X, y, weight) -> Any:
    """Weights reach the loss as a part of X, by the candidate of skorch's FAQ."""
    from skorch import NeuralNetClassifier

    class WeightedNet(NeuralNetClassifier):
        def infer(self, x, **params):
            return super().infer(x["X"] if isinstance(x, dict) else x, **params)

        def get_loss(self, y_pred, y_true, X=None, training=False):
            loss = super().get_loss(y_pred, y_true, X=X, training=training)
            return (loss * X["weight"]).sum() / X["weight"].sum()

    weighted = WeightedNet(**net.get_params(deep=False), criterion__reduction="none")
    return weighted.fit({"X": X, "weight": weight}, y)


def compare_routes(build: Any, data: str, labels: dict, n_rows: int) -> list[dict]:
    soft = make_soft(*labels["train"], labels["out-of-fold"], n_rows)
    students = build((soft.X.shape[1], len(soft.classes)), 0)
    records = []
    for name, student in students.items():
        student.set_params(**ALIKE.get(name, {}))
        fitted = fit_soft(student, soft), fit_copies(name, clone(student), soft)
        losses = [cross_entropy(soft.targets, m.predict_proba(soft.X)) for m in fitted]
        record = {"data": data, "family": name, "route": losses[0]}
        against = ROUTES_OF.get(name, "copies")
        records.append({**record, "copies": losses[1], "against": against})
    return records


def exactness_row(record: dict) -> list[str]:
    gap = record["route"] - record["copies"]
    return [
        record["data"],
        record["family"],
        record["against"],
        f"{record['route']:.5f}",
        f"{record['copies']:.5f}",
        judge(abs(gap), LOSS_LIMIT, f"{gap:+.1e}"),
    ]


# Quality ------------------------------------------------------------------------------


def run_seed(build: Any, data: str, labels: dict, seed: int) -> list[dict]:
    """Every family on every kind of label of one split."""
    X, y = labels["train"]
    X_test, y_test = labels["test"]
    head = {"data": data, "seed": seed}
    results: list[dict] = [{**head, "family": "the teacher", "hard": labels["teacher"]}]
    for name, student in build((X.shape[1], DATA[data]), seed).items():
        result: dict[str, Any] = {**head, "family": name}
        for kind in LABELS:
            soft = make_soft(X, y, labels.get(kind, labels["in-sample"]))
            fit = fit_hard if kind == "hard" else fit_soft
            result[kind] = score(fit(student, soft), X_test, y_test)
        results.append(result)
    return results


def aggregate(results: list[dict]) -> list[dict]:
    """One record per data set and family, means and spreads over seeds."""
    groups: dict[tuple, list[dict]] = {}
    for result in results:
        groups.setdefault((result["data"], result["family"]), []).append(result)
    records: list[dict] = []
    for (data, family), group in groups.items():
        records.append({"data": data, "family": family})
        for kind, metric in product(LABELS, METRICS):
            if kind in group[0]:
                summary = spread(result[kind][metric] for result in group)
                records[-1][f"{kind} {metric}"] = summary
    return records


def quality_row(record: dict) -> list[str]:
    cells = [f"{kind} {metric}" for metric, kind in product(METRICS, LABELS)]
    shown = [show(record[cell]) if cell in record else "" for cell in cells]
    return [record["data"], record["family"], *shown]


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 2})
    smoke, jobs = args.smoke, 1 if args.smoke else args.jobs
    # Training rows, test rows, of which the first measure the cost, and exactness.
    n_rows, n_exact = ((260, 260), 130) if smoke else ((4000, 8000), 1000)
    n_train, n_cost = n_rows
    n_seeds, n_folds, repeats = (1, 2, 1) if smoke else (5, 3, 7)
    memory = Memory(None if smoke else CACHE / "students", verbose=0)
    few = {"passes": 3, "rounds": 3, "extras": False} if smoke else {}
    build = partial(make_students, **few)
    if smoke:
        os.environ.setdefault("PIP_RETRIES", "0")
    teacher = make_teacher(smoke)
    run = Parallel(jobs)
    keys = list(product(DATA, range(n_seeds)))
    label = delayed(memory.cache(label_rows))
    parts = run(
        label(teacher, load_rows(d, s, *n_rows, smoke), n_folds, s) for d, s in keys
    )
    labelled = dict(zip(keys, parts, strict=True))
    first = {data: labelled[data, 0] for data in DATA}

    only = ("magic", TREE) if smoke else None
    costs = compare_costs(build, first, n_cost, repeats, only)
    print_table(
        f"Cost on {n_cost} rows, hard / soft labels, at most {repeats} repeats",
        ["data", "student", "CPU seconds", "time ratio", "peak MB", "memory ratio"],
        [cost_row(record) for record in costs],
    )
    parts = run(delayed(compare_routes)(build, d, first[d], n_exact) for d in DATA)
    exact = [record for part in parts for record in part]
    print_table(
        f"Soft cross-entropy on {n_exact} training rows",
        ["data", "student", "against", "family's route", "copies", "difference"],
        [exactness_row(record) for record in exact],
    )
    parts = run(delayed(run_seed)(build, d, labelled[d, s], s) for d, s in keys)
    runs = [result for part in parts for result in part]
    quality = aggregate(runs)
    scores = [f"{m.replace('_', ' ')}, {k}" for m in METRICS for k in LABELS]
    print_table(
        f"Held-out rows, {n_train} training rows, {n_seeds} seeds, mean ± deviation",
        ["data", "student", *scores],
        [quality_row(record) for record in quality],
    )
    if not smoke:
        rows = {"train": n_train, "cost": n_cost, "exactness": n_exact}
        result = {"rows": rows, "costs": costs, "exactness": exact}
        write_json("students.json", {**result, "quality": quality, "runs": runs})


if __name__ == "__main__":
    main()
