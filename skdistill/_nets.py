"""Nets of skorch: how they are recognised, and the generator that they draw from.

torch and skorch are imported where there is a net, and nowhere else.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config

from ._nested import list_models

#: torch has one generator for all threads: one net at a time may draw from it.
_TURN = threading.RLock()


def inherits(estimator: Any, package: str, name: str) -> bool:
    """Whether an object or a class descends from a class of a package."""
    # A package that was not imported has no objects.
    if package.split(".")[0] not in sys.modules:
        return False
    cls = estimator if isinstance(estimator, type) else type(estimator)
    return any(
        base.__name__ == name and f"{base.__module__}.".startswith(package)
        for base in cls.__mro__
    )


def is_net(estimator: Any) -> bool:
    """Whether an estimator is a net of skorch."""
    return inherits(estimator, "skorch.", "NeuralNet")


def holds_net(estimator: Any) -> bool:
    """Whether an estimator is such a net, or one is inside it."""
    return "skorch" in sys.modules and any(map(is_net, list_models(estimator)))


@contextmanager
def seed_torch(seed: int | None) -> Iterator[None]:
    """Seed torch's global generator for a while; None seeds nothing.

    joblib runs one call at a time meanwhile: nets in several threads would draw in any
    order, and those in other processes from generators that are not seeded.
    """
    if seed is None:
        yield
        return
    import torch

    with keep_generator(), parallel_config(backend="sequential"):
        torch.manual_seed(seed)
        yield


@contextmanager
def keep_generator() -> Iterator[None]:
    """Leave torch's global generator as it was."""
    import torch

    with _TURN, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield
