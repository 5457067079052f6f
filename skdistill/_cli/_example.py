"""The run without a file: a vote of forests, boosting and networks on letter."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..datasets import load_letter

SOURCE = "letter (UCI, 26 classes)"
#: One of the students that the command line names.
STUDENT = "mlp-64-32"
#: As many as a minute of two cores allows.
_N_TRAIN, _N_TEST = 2000, 3000


def split_example(seed: int) -> list[Any]:
    """Return rows to learn from, rows to test on, and the labels of both."""
    X, y = load_letter(return_X_y=True)
    return train_test_split(
        X, y, train_size=_N_TRAIN, test_size=_N_TEST, stratify=y, random_state=seed
    )


def make_teacher() -> VotingClassifier:
    """Return the ensemble, which stands for one that is too large to serve."""
    from lightgbm import LGBMClassifier

    network = MLPClassifier(
        (128,), learning_rate_init=0.003, max_iter=500, n_iter_no_change=3, tol=5e-3
    )
    boosted = LGBMClassifier(n_estimators=60, num_leaves=15, n_jobs=1, verbose=-1)
    members = [
        ("extra trees", ExtraTreesClassifier(100)),
        ("random forest", RandomForestClassifier(100)),
        ("boosting", boosted),
        *((f"network {k}", make_pipeline(StandardScaler(), network)) for k in (1, 2)),
    ]
    return VotingClassifier(members, voting="soft")
