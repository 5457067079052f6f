"""What the gradient-boosting libraries' families share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from .._soft_data import SoftDataset

Derivatives = Callable[..., tuple[NDArray[np.float32], NDArray[np.float32]]]


def is_stock(student: Any, package: str, name: str) -> bool:
    """Whether the student is that very class; a subclass may have changed its loss.

    Whoever holds one has imported its package: nothing is imported here.
    """
    module = sys.modules.get(package)
    return module is not None and type(student) is getattr(module, name, None)


def soft_derivatives(
    targets: NDArray[np.float64],
    curvature: float,
    *,
    offsets: NDArray[np.float64] | None = None,
    least: float = 0.0,
) -> Derivatives:
    """Return the objective -sum(q log softmax(margins)) as the libraries call it.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_classes)
        The targets q.
    curvature : float
        Factor of the diagonal p (1 - p) of the Hessian: each library has its own.
    offsets : ndarray of shape (n_classes,) or None
        Added to every row's margins.
    least : float
        Floor of the Hessian.

    Returns
    -------
    derivatives : callable
        From labels, which it ignores, margins of shape (n_samples, n_classes) and
        row weights, to gradient and Hessian in the memory layout of the margins. A
        closure: the libraries copy their parameters, and with an object the targets.
    """

    def derivatives(
        labels: Any, margins: NDArray[Any], sample_weight: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        proba = softmax(margins if offsets is None else margins + offsets, axis=1)
        gradient = proba - targets
        hessian = curvature * proba
        hessian *= 1.0 - proba
        if sample_weight is not None:
            gradient *= sample_weight[:, None]
            hessian *= sample_weight[:, None]
        np.maximum(hessian, least, out=hessian)
        return gradient.astype(np.float32), hessian.astype(np.float32)

    return derivatives


def soft_loss(
    targets: NDArray[np.float64], offsets: NDArray[np.float64] | None = None
) -> Callable[..., float]:
    """Return the mean soft cross-entropy of margins, as the libraries call it."""

    def cross_entropy(
        labels: Any, margins: NDArray[Any], sample_weight: Any = None
    ) -> float:
        margins = margins.astype(np.float64)
        log_proba = log_softmax(margins if offsets is None else margins + offsets, 1)
        losses = -(targets * log_proba).sum(axis=1)
        return float(np.average(losses, weights=sample_weight))

    return cross_entropy


def check_metadata(data: SoftDataset, student: Any, allowed: Iterable[str]) -> None:
    """Raise where routed metadata has no meaning for soft targets."""
    unknown = sorted(set(data.params or {}) - set(allowed))
    if unknown:
        raise ValueError(
            f"The fit of a {type(student).__name__} on soft targets takes, besides "
            f"sample_weight, {', '.join(allowed)}; received {', '.join(unknown)}. Do "
            "not request it for the student."
        )
