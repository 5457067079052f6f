"""What every peer is given, what it hands back, and the ensemble that it distils."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


@dataclass(frozen=True)
class Task:
    """Rows of one data set and seed; labels are 0, 1, ... without a gap, or values.

    Test rows are given without their labels or values, to be put into the form that a
    student takes. `folder` is empty, and removed afterwards.
    """

    X_train: pd.DataFrame
    y_train: np.ndarray
    X_test: pd.DataFrame
    seed: int
    seconds: float
    small: bool
    folder: Path
    regression: bool = False

    @property
    def n_classes(self) -> int:
        return int(self.y_train.max()) + 1

    @property
    def all_numbers(self) -> bool:
        return all(dtype.kind == "f" for dtype in self.X_train.dtypes)


@dataclass(frozen=True)
class Student:
    """A fitted student; `seconds` from the training rows to it, its teacher's too.

    `rows` are the test rows as it takes them, and `serve` gives their probabilities
    or values.
    """

    name: str
    serve: Callable[[Any], Any]
    rows: Any
    seconds: float
    n_bytes: int
    #: Further figures.
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A student that there is none of, and why."""

    name: str
    reason: str


Outcome = Student | Failure


def attempt(name: str, make: Callable[[], Student]) -> Outcome:
    """One student's failure must not cost the next one."""
    try:
        return make()
    except Exception as error:
        # Peers raise whatever they like.
        text = " ".join(str(error).split())[:300]
        return Failure(name, f"{type(error).__name__}: {text}")


@contextmanager
def clock() -> Iterator[Callable[[], float]]:
    """CPU seconds since the block began, which other work on the machine leaves."""
    start = process_time()
    yield lambda: process_time() - start


def count_bytes(model: Any) -> int:
    return len(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))


def encode(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Train and test rows for peers that take numbers alone: indicators for text."""
    text = [name for name in task.X_train if task.X_train[name].dtype.kind != "f"]
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
        remainder="passthrough",
    )
    X_train = encoder.fit_transform(task.X_train)
    return np.asarray(X_train), np.asarray(encoder.transform(task.X_test))


def make_vote(task: Task) -> VotingClassifier | VotingRegressor:
    """The ensemble of every peer that takes one, on encoded rows.

    As "vote" of quality.py, or of regression.py beside it.
    """
    from lightgbm import LGBMClassifier, LGBMRegressor

    n_trees = 10 if task.small else 200
    layers = {"hidden_layer_sizes": (128, 64), "n_iter_no_change": 5, "max_iter": 1000}
    trees: tuple[Any, ...]
    if task.regression:
        trees = LGBMRegressor, RandomForestRegressor, ExtraTreesRegressor
        network = TransformedTargetRegressor(
            MLPRegressor(**layers, tol=5e-4), transformer=StandardScaler()
        )
    else:
        trees = LGBMClassifier, RandomForestClassifier, ExtraTreesClassifier
        network = MLPClassifier(**layers, tol=5e-3)
    boosted, forest, extra = (kind(n_estimators=n_trees) for kind in trees)
    boosted.set_params(learning_rate=0.05, n_jobs=1, verbose=-1)
    members = [
        ("lightgbm", boosted),
        ("forest", forest),
        ("extra", extra),
        ("mlp", make_pipeline(StandardScaler(), network)),
    ]
    vote = (
        VotingRegressor(members)
        if task.regression
        else VotingClassifier(members, voting="soft")
    )
    names = [name for name in vote.get_params() if name.endswith("random_state")]
    return vote.set_params(**dict.fromkeys(names, task.seed))
