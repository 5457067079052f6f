"""Samplers that make unlabelled rows for a teacher to label.

Each is an estimator with ``fit(X)`` and ``sample(n_samples, random_state)``, as
scikit-learn's generative models, and returns rows of X's own container and types.
"""

from __future__ import annotations

from ._copula import GaussianCopula
from ._munge import Munge, Spunge

__all__ = ["GaussianCopula", "Munge", "Spunge"]
