"""The families of students, and the teacher that labels for all of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

BATCH, LEAF = 100, 5

NET = "skorch net 64-32"
MLP, LOGISTIC, SGD = "MLPClassifier 64-32", "LogisticRegression", "SGDClassifier"
TREE, FOREST, EXTRA = "DecisionTree", "RandomForest", "ExtraTrees"
HIST, LIGHT, XGB, CAT = "HistGradientBoosting", "LightGBM", "XGBoost", "CatBoost"
BAYES = "GaussianNB (any other)"
#: In the order of the tables.
NAMES = (*(MLP, LOGISTIC, SGD, TREE, FOREST, EXTRA, HIST, LIGHT, NET, XGB, CAT, BAYES),)


def make_students(
    shape: tuple, seed: int, epochs: int = 40, rounds: int = 50, extras: bool = True
) -> dict[str, Any]:
    """One student a family that is installed, for (n_features, n_classes)."""
    network = {"batch_size": BATCH, "max_iter": epochs, "n_iter_no_change": epochs}
    forest = {"n_estimators": 20, "max_depth": 8, "min_samples_leaf": LEAF}
    boosted = {"n_estimators": rounds, "n_jobs": 1}
    students = {
        MLP: MLPClassifier((64, 32), tol=0.0, **network),
        LOGISTIC: LogisticRegression(max_iter=300),
        SGD: SGDClassifier(loss="log_loss", max_iter=epochs, tol=None),
        TREE: DecisionTreeClassifier(max_depth=6, min_samples_leaf=LEAF),
        FOREST: RandomForestClassifier(**forest),
        EXTRA: ExtraTreesClassifier(**forest),
        HIST: HistGradientBoostingClassifier(
            max_iter=rounds, max_leaf_nodes=15, early_stopping=False
        ),
        LIGHT: LGBMClassifier(**boosted, num_leaves=15, verbosity=-1),
    }
    if find_spec("torch"):
        students[NET] = make_net(*shape, seed, epochs)
    if extras and find_spec("xgboost"):
        from xgboost import XGBClassifier

        leaves = {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 15}
        students[XGB] = XGBClassifier(**boosted, **leaves)
    if extras and find_spec("catboost"):
        from catboost import CatBoostClassifier

        quiet = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
        # Copies are slow: fewer rounds for more than two classes.
        n_rounds = rounds if shape[1] == 2 else rounds // 5 + 1
        size = {"iterations": n_rounds, "depth": 4, "random_seed": seed}
        students[CAT] = CatBoostClassifier(**size, **quiet)
    students[BAYES] = GaussianNB()
    for student in students.values():
        if "random_state" in student.get_params():
            student.set_params(random_state=seed)
    return students


def make_net(n_features: int, n_classes: int, seed: int, epochs: int) -> Any:
    """A net of the shape of the `MLPClassifier` with fixed first weights."""
    import torch
    from skorch import NeuralNetClassifier
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    layers = [nn.Linear(n_features, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()]
    return NeuralNetClassifier(
        nn.Sequential(*layers, nn.Linear(32, n_classes)).double(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def make_teacher(smoke: bool) -> VotingClassifier:
    n_trees = 10 if smoke else 100
    forest = {"n_estimators": n_trees, "min_samples_leaf": 2, "random_state": 0}
    light = LGBMClassifier(n_jobs=1, verbosity=-1, random_state=0)
    members = {
        "lightgbm": light.set_params(n_estimators=n_trees // 2),
        "forest": RandomForestClassifier(**forest),
        "trees": ExtraTreesClassifier(**forest),
        "network": MLPClassifier((128, 64), early_stopping=True, random_state=0),
    }
    return VotingClassifier(list(members.items()), voting="soft")
