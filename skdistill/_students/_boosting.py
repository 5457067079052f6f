"""What the gradient-boosting libraries' families share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from .._soft_data import SoftDataset
from .._typing import AnyArray, FloatArray
from ._losses import LogitLoss, add_first_class

#: Floor of a class's share before its logarithm is taken: LightGBM's.
_LEAST_SHARE = 1e-15


def is_stock(student: Any, package: str, name: str) -> bool:
    """Whether the student is that very class; a subclass may have changed its loss.

    Whoever holds one has imported its package: nothing is imported here.
    """
    module = sys.modules.get(package)
    return module is not None and type(student) is getattr(module, name, None)


def learns_natively(data: SoftDataset) -> bool:
    """Whether a library's own objective for two classes takes the targets."""
    return len(data.classes) == 2 and data.alpha is None


def change_leaves(
    booster: Any, change: Callable[[int, float], float], n_rounds: int = -1
) -> None:
    """Change leaves of a LightGBM model, given the number of a tree and a value."""
    for tree in booster.dump_model(num_iteration=n_rounds)["tree_info"]:
        number = tree["tree_index"]
        for leaf in range(tree["num_leaves"]):
            value = booster.get_leaf_output(number, leaf)
            booster.set_leaf_output(number, leaf, change(number, value))


def soft_derivatives(
    data: SoftDataset,
    curvature: float,
    *,
    offsets: FloatArray | None = None,
    least: float = 0.0,
) -> Callable[..., tuple[Any, Any]]:
    """Return the objective of soft targets as the libraries call it.

    `curvature` and `least` are a library's factor and floor of the Hessian, and
    `offsets`, one an output, are added to every row's margins. Those of two classes are
    a vector. A closure: the libraries copy their parameters, and with an object the
    targets.
    """
    loss = LogitLoss.of(data)

    def derivatives(labels: Any, margins: Any, sample_weight: Any = None) -> Any:
        gradient, hessian = loss.differentiate(_read_logits(margins, offsets))
        hessian *= curvature
        if sample_weight is not None:
            gradient *= sample_weight[:, None]
            hessian *= sample_weight[:, None]
        np.maximum(hessian, least, out=hessian)
        if margins.ndim == 1:
            gradient, hessian = gradient[:, 1], hessian[:, 1]
        return gradient.astype(np.float32), hessian.astype(np.float32)

    return derivatives


def soft_loss(
    data: SoftDataset, offsets: FloatArray | None = None
) -> Callable[..., float]:
    """Return the mean loss of margins, as the libraries call it."""
    loss = LogitLoss.of(data)

    def measure(labels: Any, margins: AnyArray, sample_weight: Any = None) -> float:
        losses, _ = loss.rate(_read_logits(margins.astype(np.float64), offsets))
        return float(np.average(losses, weights=sample_weight))

    # XGBoost names the metric by it.
    measure.__name__ = "cross_entropy"
    return measure


def _read_logits(margins: AnyArray, offsets: FloatArray | None) -> AnyArray:
    logits = margins if offsets is None else margins + offsets
    return add_first_class(logits[:, None]) if logits.ndim == 1 else logits


def start_logits(data: SoftDataset, weight: FloatArray | None) -> FloatArray:
    """Return the logarithms of the class shares, from which boosting starts.

    Where true labels have a share, those of the targets and of the labels, at the
    temperature, in that proportion.
    """
    if data.alpha is None:
        return _log_shares(np.average(data.targets, axis=0, weights=weight))
    weight = np.ones(data.n_samples) if weight is None else weight
    weight = weight / weight.sum()
    # Rows that no teacher was asked for have no share in the targets.
    share = weight * data.alpha
    alpha = share.sum()
    hard = np.bincount(data.codes, weight - share, len(data.classes))
    # A factor of all shares of a sum shifts all logits alike.
    start = alpha * _log_shares(share @ data.targets)
    return start + (1 - alpha) / data.temperature * _log_shares(hard)


def _log_shares(shares: AnyArray) -> FloatArray:
    return np.log(np.maximum(shares, _LEAST_SHARE))


def refuse_metric(received: str) -> NoReturn:
    """Raise for a metric by which a student cannot stop early."""
    raise ValueError(
        "A student that stops early does so by the cross-entropy of soft targets; "
        f"received {received}. Leave it out."
    )


def check_metadata(data: SoftDataset, student: Any, allowed: Iterable[str]) -> None:
    """Raise where routed metadata has no meaning for soft targets."""
    unknown = sorted(set(data.params or {}) - set(allowed))
    if unknown:
        raise ValueError(
            f"The fit of a {type(student).__name__} on soft targets takes, besides "
            f"sample_weight, {', '.join(allowed)}; received {', '.join(unknown)}. Do "
            "not request it for the student."
        )
