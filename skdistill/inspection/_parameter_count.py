"""The number of parameters that a fitted model predicts with."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .._nested import list_members


def count_parameters(model: Any) -> int | None:
    """Count weights, split thresholds and leaf values; None for an unknown kind.

    Preprocessing and calibration are left out, and so are the numbers that only
    training needs. A split counts as one, its threshold; a leaf as many as it holds
    values.
    """
    members = list_members(model)
    if members is not None:
        counts = [count_parameters(member) for member in members]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None
    for count in (_count_weights, _count_tree, _count_boosted, _count_net):
        number = count(model)
        if number is not None:
            return number
    return None


def _count_weights(model: Any) -> int | None:
    """Networks and linear models."""
    if hasattr(model, "coefs_") and hasattr(model, "intercepts_"):
        return sum(int(np.size(w)) for w in [*model.coefs_, *model.intercepts_])
    # LightGBM, XGBoost and support vectors with a kernel raise AttributeError.
    if type(model).__module__.startswith("sklearn.") and hasattr(model, "coef_"):
        return int(np.size(model.coef_) + np.size(model.intercept_))
    return None


def _count_tree(model: Any) -> int | None:
    tree = getattr(model, "tree_", None)
    if tree is None:
        return None
    n_splits = int(tree.node_count - tree.n_leaves)
    return n_splits + int(tree.n_leaves) * int(tree.value[0].size)


def _count_boosted(model: Any) -> int | None:
    """LightGBM and XGBoost, one value a leaf: a tree of n leaves has n - 1 splits."""
    if hasattr(model, "booster_"):
        trees = model.booster_.dump_model()["tree_info"]
        return sum(2 * tree["num_leaves"] - 1 for tree in trees)
    if hasattr(model, "get_booster"):
        dumps = model.get_booster().get_dump()
        return sum(2 * dump.count("leaf=") - 1 for dump in dumps)
    return None


def _count_net(model: Any) -> int | None:
    torch = sys.modules.get("torch")
    module = getattr(model, "module_", None)
    if torch is None or not isinstance(module, torch.nn.Module):
        return None
    return sum(int(tensor.numel()) for tensor in module.parameters())
