"""How near each family's route for soft targets comes to weighted copies.

Soft cross-entropy on 1,000 training rows of letter (26 classes) and magic (2) after
the family's route, and after a stock fit on weighted copies, one for each class. What
counts rows counts copies there, and what draws at random is switched off, or draws
alike. SGD makes other updates on copies: it is compared with the minimum that L-BFGS
finds on them. The target: at most 1e-3 of cross-entropy from the copies.

    python -m benchmarks.students.exactness            # minutes
    python -m benchmarks.students.exactness --smoke
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from .._measure import fit_quietly
from .._private import SoftDataset, expand_rows
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table, sort_like
from ._families import (
    BAYES,
    CAT,
    EXTRA,
    FOREST,
    HIST,
    LIGHT,
    LOGISTIC,
    MLP,
    NAMES,
    NET,
    SGD,
    TREE,
)
from ._rows import (
    DATA,
    check_limit,
    fit_soft,
    label_rows,
    list_students,
    make_soft,
    make_student,
)

FOLDER = Path(__file__).parent
KEYS = ("data", "student")
N_ROWS, SMOKE_ROWS = 1000, 130
LOSS_LIMIT = 1e-3

#: Parameters of both routes that leave nothing to chance or to the count of rows.
ALIKE: dict[str, dict[str, Any]] = {
    MLP: {"shuffle": False, "max_iter": 10},
    NET: {"iterator_train__shuffle": False, "max_epochs": 10},
    LOGISTIC: {"tol": 1e-7, "max_iter": 2000},
    # A small learning rate, and weights averaged after the first 200,000 updates.
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

AGAINST = {
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
    """Weights reach the loss as a part of X, as skorch's FAQ has it."""
    from skorch import NeuralNetClassifier

    class WeightedNet(NeuralNetClassifier):
        def infer(self, x, **params):
            return super().infer(x["X"] if isinstance(x, dict) else x, **params)

        def get_loss(self, y_pred, y_true, X=None, training=False):
            loss = super().get_loss(y_pred, y_true, X=X, training=training)
            return (loss * X["weight"]).sum() / X["weight"].sum()

    weighted = WeightedNet(**net.get_params(deep=False), criterion__reduction="none")
    return weighted.fit({"X": X, "weight": weight}, y)


def cross_entropy(targets, proba) -> float:
    """Mean soft cross-entropy, in nats."""
    floor = np.finfo(float).tiny
    return float(-(targets * np.log(np.maximum(proba, floor))).sum(axis=1).mean())


def compare_routes(data: str, student: str, smoke: bool) -> list[dict]:
    """Cross-entropy of one family after either route."""
    labels, n_rows = label_rows(data, 0, smoke), SMOKE_ROWS if smoke else N_ROWS
    soft = make_soft(*labels["train"], labels["out-of-fold"], n_rows)
    model = make_student(student, soft.X, len(soft.classes), 0, smoke)
    model.set_params(**ALIKE.get(student, {}))
    fitted = fit_soft(model, soft), fit_copies(student, clone(model), soft)
    route, copies = (
        cross_entropy(soft.targets, m.predict_proba(soft.X)) for m in fitted
    )
    return [
        {
            **{"data": data, "student": student},
            "against": AGAINST.get(student, "copies"),
            **{"route": route, "copies": copies, "difference": route - copies},
        }
    ]


def make_row(record: dict) -> list[str]:
    gap = record["difference"]
    return [
        record["data"],
        record["student"],
        record["against"],
        f"{record['route']:.5f}",
        f"{record['copies']:.5f}",
        check_limit(abs(gap), LOSS_LIMIT, f"{gap:+.1e}"),
    ]


def main() -> None:
    args = read_arguments(__doc__, jobs={"type": int, "default": 2})
    results = Results(None if args.smoke else FOLDER / "exactness.csv", KEYS)
    pairs = product(DATA, list_students(args.smoke))
    runs = [{"data": data, "student": student} for data, student in pairs]
    missing = find_missing(results, runs, args)
    n_jobs = 1 if args.smoke else args.jobs
    make_runs(results, missing, compare_routes, n_jobs, smoke=args.smoke)
    records = sort_like(results.records, data=DATA, student=NAMES)
    print_table(
        f"Soft cross-entropy on {N_ROWS} training rows",
        ["data", "student", "against", "family's route", "copies", "difference"],
        [make_row(record) for record in records],
    )


if __name__ == "__main__":
    main()
