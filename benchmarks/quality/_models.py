"""Teachers and students of quality.py, and the rows that they are built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from .._data import split_data
from .._measure import last_step
from .._private import prepare_columns

TEACHERS = ("vote", "networks", "boosted")
#: In this order: the first is fitted on an empty cache.
STUDENTS = ("mlp", "lightgbm", "tree", "logistic", "default")


@dataclass(frozen=True)
class Size:
    """How large the models are.

    `min_updates` is what the argmax baseline gets at least.
    """

    n_trees: int = 200
    n_networks: int = 12
    layers: tuple[int, ...] = (128, 64)
    student_layers: tuple[int, ...] = (64, 32)
    student_epochs: int = 200
    n_draws: int = 6
    min_updates: int = 20_000


SMOKE = Size(10, 2, (8,), (8,), 3, 2, 100)


@dataclass(frozen=True)
class Split:
    """The rows of one seed, and the models' size."""

    data: str
    seed: int
    X_train: Any
    X_test: Any
    y_train: np.ndarray
    y_test: np.ndarray
    size: Size

    @property
    def classes(self) -> np.ndarray:
        return np.unique(self.y_train)

    @property
    def codes(self) -> np.ndarray:
        return np.searchsorted(self.classes, self.y_train)


def hold_out_fifth(
    data: str, seed: int, rows: int, size: Size
) -> tuple[Split, dict[str, Any]]:
    """The rows of one seed, a fifth of the training rows being validation rows."""
    X, X_test, y, y_test = split_data(data, seed, rows)
    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=seed
    )
    split = Split(data, seed, X_train, X_test, y_train, y_test, size)
    return split, {"X_val": X_val, "y_val": y_val}


def put_behind_columns(X, model, *, scale: bool = True):
    """A model behind what its columns need."""
    if not isinstance(X, np.ndarray):
        return make_pipeline(prepare_columns(X), model)
    return make_pipeline(StandardScaler(), model) if scale else model


def make_boosted(**settings) -> LGBMClassifier:
    # One thread, where the order of sums would otherwise depend on the machine.
    return LGBMClassifier(n_jobs=1, deterministic=True, verbose=-1, **settings)


def make_network(layers: tuple[int, ...]) -> MLPClassifier:
    """Stopped where the training loss flattens, as the default teacher's members."""
    return MLPClassifier(layers, tol=5e-3, n_iter_no_change=5, max_iter=1000)


def tune_boosted(split: Split):
    """The best of a few draws, unfitted."""
    model = make_boosted(subsample_freq=1, random_state=split.seed)
    model = put_behind_columns(split.X_train, model, scale=False)
    choices = {
        "n_estimators": [split.size.n_trees // 2, split.size.n_trees],
        "learning_rate": [0.03, 0.05, 0.1],
        "num_leaves": [7, 15, 31],
        "min_child_samples": [5, 20, 50],
        "subsample": [0.7, 1.0],
        "colsample_bytree": [0.5, 0.8, 1.0],
        "reg_lambda": [0.0, 1.0, 10.0],
    }
    prefix = "" if last_step(model) is model else model.steps[-1][0] + "__"
    search = RandomizedSearchCV(
        model,
        {prefix + name: values for name, values in choices.items()},
        n_iter=split.size.n_draws,
        scoring="neg_log_loss",
        cv=3,
        refit=False,
        random_state=split.seed,
    )
    search.fit(split.X_train, split.y_train)
    return model.set_params(**search.best_params_)


def make_teacher(name: str, split: Split):
    """An unfitted teacher; seeds are left to the `DistilledClassifier`."""
    size = split.size
    if name == "boosted":
        return tune_boosted(split)
    if name == "networks":
        members = [
            (f"mlp{k}", make_network(size.layers)) for k in range(size.n_networks)
        ]
    else:
        boosted = make_boosted(n_estimators=size.n_trees, learning_rate=0.05)
        members = [
            ("lightgbm", boosted),
            ("forest", RandomForestClassifier(size.n_trees)),
            ("extra", ExtraTreesClassifier(size.n_trees)),
            ("mlp", make_network(size.layers)),
        ]
    return put_behind_columns(split.X_train, VotingClassifier(members, voting="soft"))


def make_seeded_vote(split: Split):
    """The vote, unfitted, whose fit does not depend on who makes it."""
    vote = make_teacher("vote", split)
    names = [name for name in vote.get_params() if name.endswith("random_state")]
    return vote.set_params(**dict.fromkeys(names, split.seed))


def make_student(name: str, split: Split):
    """An unfitted student; None is the package's own."""
    X, seed, size = split.X_train, split.seed, split.size
    if name == "default":
        return None
    if name == "mlp":
        model = MLPClassifier(
            size.student_layers, max_iter=size.student_epochs, random_state=seed
        )
        return put_behind_columns(X, model)
    if name == "logistic":
        return put_behind_columns(X, LogisticRegression(max_iter=1000))
    if name == "tree":
        model = DecisionTreeClassifier(max_depth=6, random_state=seed)
    else:
        model = make_boosted(n_estimators=50, num_leaves=15, random_state=seed)
    return put_behind_columns(X, model, scale=False)


def count_updates(network: MLPClassifier) -> int:
    """Updates that the optimiser of a fitted network made."""
    n_rows = network.t_ // network.n_iter_
    return network.n_iter_ * count_batches(n_rows, network)


def count_epochs(n_updates: int, n_rows: int, network: MLPClassifier) -> int:
    """Epochs over `n_rows` rows that make so many updates."""
    return max(1, round(n_updates / count_batches(n_rows, network)))


def count_batches(n_rows: int, network: MLPClassifier) -> int:
    size = 200 if network.batch_size == "auto" else network.batch_size
    return -(-n_rows // min(size, n_rows))
